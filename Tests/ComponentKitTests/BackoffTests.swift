import ComponentKit
import Testing

@Suite struct BackoffTests {
    /// Always the same number.
    private struct Fixed: RandomNumberGenerator {
        let value: UInt64
        mutating func next() -> UInt64 { self.value }
    }

    @Test("The first wait is never longer than the cap")
    func longFirst() {
        var backoff = Backoff(first: .seconds(10), cap: .seconds(2))
        var most = Fixed(value: .max)
        #expect(backoff.next(using: &most) == .seconds(2))
        #expect(backoff.next(using: &most) == .seconds(2))
    }

    @Test("Waits double up to the cap, are jittered by up to half, and start over after a success")
    func steps() {
        var low = Backoff()
        var high = Backoff()
        var least = Fixed(value: 0)
        var most = Fixed(value: .max)
        var step = Backoff.first
        for _ in 0..<20 {
            let (short, long) = (low.next(using: &least), high.next(using: &most))
            #expect(short >= step / 2 && short < long && long <= step)
            step = min(step * 2, Backoff.cap)
        }
        #expect(step == Backoff.cap)
        low.reset()
        #expect(low.next(using: &least) <= Backoff.first)
    }
}
