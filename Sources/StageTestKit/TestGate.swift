import StageKit

/// Lets the calls of a test wait until the test opens the gate.
package final class TestGate: Sendable {
    private struct State {
        var isOpen: Bool
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: OrderedMutex<State>

    /// The number of calls that wait.
    package var waiting: Int { self.state.withLock(\.waiting.count) }

    /// Creates a gate.
    package init(isOpen: Bool) {
        self.state = OrderedMutex(State(isOpen: isOpen))
    }

    /// Returns when the gate is open.
    package func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = self.state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    /// Lets calls wait from now on.
    package func close() { self.state.withLock { $0.isOpen = false } }

    /// Lets all calls return, those that wait and those to come.
    package func open() {
        let waiting = self.state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
