import StageKit
import Synchronization

/// Wakes the tasks that wait for new data, from any thread.
///
/// A wake-up is a flag, not a queue: waking a sleeper twice before it runs has the same effect as once, so the cost
/// does not depend on the speed of the sleepers. Without sleepers it is one relaxed load.
final class Wakes: Sendable {
    /// The sleeper's stream; it keeps one pending wake-up.
    typealias Sleeper = AsyncStream<Void>.Continuation

    private struct State {
        var next = 0
        var sleepers: [Int: Sleeper] = [:]
        var isEnded = false
    }

    private let state = OrderedMutex(State())
    private let count = Atomic<Int>(0)

    /// Creates a sleeper that is initially awake, with its stream of wake-ups.
    static func makeSleeper() -> (sleeper: Sleeper, wakes: AsyncStream<Void>) {
        let (wakes, sleeper) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        sleeper.yield()
        return (sleeper, wakes)
    }

    /// Wakes all sleepers.
    func wake() {
        if self.count.load(ordering: .relaxed) == 0 { return }
        self.state.withLock { state in
            for sleeper in state.sleepers.values { sleeper.yield() }
        }
    }

    /// Ends the streams of all sleepers, including those added later.
    func end() {
        self.state.withLock { state in
            state.isEnded = true
            for sleeper in state.sleepers.values { sleeper.finish() }
        }
    }

    /// Adds a sleeper, and returns the number to remove it with.
    func add(_ sleeper: Sleeper) -> Int {
        self.count.wrappingAdd(1, ordering: .relaxed)
        return self.state.withLock { state in
            state.next += 1
            if state.isEnded { sleeper.finish() }
            state.sleepers[state.next] = sleeper
            return state.next
        }
    }

    /// Removes a sleeper.
    func remove(_ number: Int) {
        self.count.wrappingSubtract(1, ordering: .relaxed)
        self.state.withLock { _ = $0.sleepers.removeValue(forKey: number) }
    }
}
