import StageKit

/// A one-time signal, sent from any thread, that cancels everything that waits for it.
public final class StopSignal: Sendable {
    private struct State {
        var isStopped = false
        var nextToken = 0
        var actions: [Int: @Sendable () -> Void] = [:]
    }

    private let state = OrderedMutex(State())

    /// Creates a signal that has not been sent.
    public init() {}

    /// Whether `stop` was called.
    public var isStopped: Bool { self.state.withLock { $0.isStopped } }

    /// Sends the signal: runs the registered actions on the calling thread. Later calls have no effect.
    public func stop() {
        let actions: [@Sendable () -> Void] = self.state.withLock { state in
            state.isStopped = true
            defer { state.actions = [:] }
            return Array(state.actions.values)
        }
        for action in actions { action() }
    }

    /// Registers an action that runs when the signal is sent, or immediately if it was sent already. It must not block.
    ///
    /// - Returns: A token to pass to `forget` when the action is no longer needed.
    package func onStop(_ action: @escaping @Sendable () -> Void) -> Int {
        let token: Int? = self.state.withLock { state in
            guard !state.isStopped else { return nil }
            state.nextToken += 1
            state.actions[state.nextToken] = action
            return state.nextToken
        }
        if let token { return token }
        action()
        return 0
    }

    /// Removes a registered action.
    package func forget(_ token: Int) {
        _ = self.state.withLock { $0.actions.removeValue(forKey: token) }
    }
}
