import StageKit
import Synchronization

/// Wakes the tasks that wait for something new, from any thread.
///
/// A wake is a flag, not a queue: a wake while another one is pending changes nothing, so waking costs the same for any
/// number of slow sleepers. Without sleepers it is one relaxed load.
final class Wakes: Sendable {
    /// The sleeper's stream: it keeps one pending wake.
    typealias Sleeper = AsyncStream<Void>.Continuation

    private struct State {
        var next = 0
        var sleepers: [Int: Sleeper] = [:]
        var isEnded = false
    }

    private let state = OrderedMutex(State())
    private let count = Atomic<Int>(0)

    /// Creates a sleeper that is awake at first, with its stream of wakes.
    static func makeSleeper() -> (sleeper: Sleeper, wakes: AsyncStream<Void>) {
        let (wakes, sleeper) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        sleeper.yield()
        return (sleeper, wakes)
    }

    /// Wakes everybody.
    func wake() {
        if self.count.load(ordering: .relaxed) == 0 { return }
        self.state.withLock { state in
            for sleeper in state.sleepers.values { sleeper.yield() }
        }
    }

    /// Ends everybody's sleep for good, also of those that come later.
    func end() {
        self.state.withLock { state in
            state.isEnded = true
            for sleeper in state.sleepers.values { sleeper.finish() }
        }
    }

    /// Adds a sleeper, to be let go by `remove` with the number returned.
    func add(_ sleeper: Sleeper) -> Int {
        self.count.wrappingAdd(1, ordering: .relaxed)
        return self.state.withLock { state in
            state.next += 1
            if state.isEnded { sleeper.finish() }
            state.sleepers[state.next] = sleeper
            return state.next
        }
    }

    /// Lets a sleeper go.
    func remove(_ number: Int) {
        self.count.wrappingSubtract(1, ordering: .relaxed)
        self.state.withLock { _ = $0.sleepers.removeValue(forKey: number) }
    }
}
