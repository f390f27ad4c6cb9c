import Synchronization

/// Says 1000 when it is asked first, then 2000 and so on.
final class CountingClock: Sendable {
    private let times = Atomic<Int64>(0)

    /// How often it was asked.
    var count: Int64 { self.times.load(ordering: .relaxed) }

    /// The next time.
    func next() -> Int64 {
        self.times.wrappingAdd(1, ordering: .relaxed).newValue * 1000
    }
}
