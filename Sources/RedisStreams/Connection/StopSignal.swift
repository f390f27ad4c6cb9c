import StageKit

/// A wish to stop that ends whatever waits, from any thread, once and for all.
package final class StopSignal: Sendable {
    private struct State {
        var isStopped = false
        var nextToken = 0
        var actions: [Int: @Sendable () -> Void] = [:]
    }

    private let state = OrderedMutex(State())

    /// Nobody has asked to stop yet.
    package init() {}

    /// Whether to stop.
    package var isStopped: Bool { self.state.withLock { $0.isStopped } }

    /// Asks to stop: runs what was registered, on this thread. Calling again does nothing.
    package func stop() {
        let actions: [@Sendable () -> Void] = self.state.withLock { state in
            state.isStopped = true
            defer { state.actions = [:] }
            return Array(state.actions.values)
        }
        for action in actions { action() }
    }

    /// Has `action` called when asked to stop, at once where that is so already; it must not wait.
    ///
    /// Pass what it returns to `forget` when the action is no longer of use.
    func onStop(_ action: @escaping @Sendable () -> Void) -> Int {
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

    /// Lets an action go.
    func forget(_ token: Int) {
        _ = self.state.withLock { $0.actions.removeValue(forKey: token) }
    }
}
