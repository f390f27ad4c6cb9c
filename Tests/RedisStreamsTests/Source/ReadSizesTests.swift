import RedisClient
import Testing

@testable import RedisStreams

@Suite struct ReadSizesTests {
    private static let cut = RedisError(.closed, "cut", isTransient: true)
    private static let tooLarge = RedisError(.replyTooLarge, "too large", isTransient: false)

    private func sizes(_ maximum: Int, _ activity: ReadSizes.Activity) -> ReadSizes {
        var sizes = ReadSizes(maximum: maximum)
        sizes.activity = activity
        return sizes
    }

    @Test("Failures while only facts are requested change nothing, whatever they are")
    func facts() {
        var sizes = self.sizes(8, .facts)
        let before = sizes
        let reductions = [sizes.failed(Self.cut), sizes.failed(Self.tooLarge)]
        #expect(reductions == [.none, .none] && sizes == before)
    }

    @Test(
        "A reply that is certainly too large is requested in smaller parts, then without what does not fit, then never")
    func certain() {
        var sizes = self.sizes(8, .entries)
        for count in [4, 2, 1] {
            let reduction = sizes.failed(Self.tooLarge)
            #expect(reduction == .certain && sizes.count == count && !sizes.leavesOutToFit(count))
        }
        var reduction = sizes.failed(Self.tooLarge)
        #expect(reduction == .certain && sizes.leavesOutToFit(1) && !sizes.leavesOutToFit(2) && sizes.isReduced)
        reduction = sizes.failed(Self.tooLarge)
        #expect(reduction == .exhausted)
        let isLarger = sizes.succeeded(isAtEnd: true)
        #expect(!isLarger && sizes.count == 8 && !sizes.leavesOutToFit(1) && !sizes.isReduced)
    }

    @Test("A lost connection asks for less down to one entry, and leaves nothing out")
    func possible() {
        var sizes = self.sizes(4, .entries)
        let reductions = [sizes.failed(Self.cut), sizes.failed(Self.cut), sizes.failed(Self.cut)]
        #expect(reductions == [.possible, .possible, .none])
        #expect(sizes.count == 1 && !sizes.leavesOutToFit(1))
        var isLarger = false
        for _ in 0..<1000 where !isLarger { isLarger = sizes.succeeded(isAtEnd: false) }
        #expect(isLarger && sizes.count == 2)
    }

    @Test("Keys have a size of their own, and a single key that is too large ends the run")
    func keys() {
        var sizes = self.sizes(8, .keys)
        var reductions = 0
        while sizes.failed(Self.tooLarge) == .certain, reductions < 100 { reductions += 1 }
        #expect(sizes.keys.count(KeyReader.chunk) == 1 && sizes.count == 8)
        let last = [sizes.failed(Self.tooLarge), sizes.failed(Self.cut)]
        #expect(last == [.exhausted, .none])
        sizes.readAllKeys()
        #expect(sizes.keys == RequestSize())
        let first = sizes.failed(Self.cut)
        #expect(first == .possible)
    }

    @Test("Failures that size does not cause change nothing", arguments: [RedisError.Code.connectFailed, .unavailable])
    func others(code: RedisError.Code) {
        var sizes = self.sizes(8, .entries)
        let reduction = sizes.failed(RedisError(code, "no", isTransient: true))
        #expect(reduction == .none && !sizes.isReduced)
    }
}
