import Sockets
import Synchronization

/// What other threads leave for a thread of the Redis door.
final class RedisSocketPost: Sendable {
    private struct State {
        var descriptors: [Int32] = []
        var isStopping = false
    }

    /// Wakes the thread.
    let wakeUp: WakeUp
    private let state = Mutex(State())

    /// Creates a place without anything in it.
    init(_ wakeUp: WakeUp) {
        self.wakeUp = wakeUp
    }

    deinit {
        // If its thread could not start.
        for descriptor in self.take().descriptors { StreamSocket.refuse(descriptor) }
    }

    /// Leaves the descriptor of a connection; returns `false` if the thread has been stopped.
    func leave(_ descriptor: Int32) -> Bool {
        let isLeft = self.state.withLock { state in
            if !state.isStopping { state.descriptors.append(descriptor) }
            return !state.isStopping
        }
        if isLeft { self.wakeUp.signal() }
        return isLeft
    }

    /// Has the thread close its connections and end.
    func stop() {
        self.state.withLock { $0.isStopping = true }
        self.wakeUp.signal()
    }

    /// Takes what was left.
    func take() -> (descriptors: [Int32], isStopping: Bool) {
        self.state.withLock { state in
            defer { state.descriptors = [] }
            return (state.descriptors, state.isStopping)
        }
    }
}
