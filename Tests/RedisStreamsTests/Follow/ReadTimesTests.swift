import RedisStreams
import Testing

@Suite struct ReadTimesTests {
    @Test(
        "A read that was sent before a stalled batch had its outcomes is outdated, and the next one does not wait",
        arguments: [(nil, false), (1, false), (5, false), (6, true)] as [(Int?, Bool)])
    func outdated(stallEnd: Int?, isOutdated: Bool) {
        let start = ContinuousClock.now
        let times = ReadTimes(sent: start + .seconds(5), block: .seconds(5))
        let end = stallEnd.map { start + .seconds($0) }
        #expect(times.isOutdated(by: end) == isOutdated)
        let now = start + .seconds(7)
        #expect(times.asksAtOnce(isFull: false, answered: now, maxStaleness: nil, stallEnd: end) == isOutdated)
        #expect(times.asksAtOnce(isFull: true, answered: now, maxStaleness: nil, stallEnd: end))
    }
}
