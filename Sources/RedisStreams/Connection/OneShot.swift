import StageKit

/// A value that is set once, by any thread, and waited for by at most one task.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case awaited(CheckedContinuation<Value, Never>)
        case set(Value)
        case taken
    }

    private let state = OrderedMutex(State.empty)

    /// Nothing set yet.
    init() {}

    /// Sets the value; only the first call counts. Returns whether it was the first.
    @discardableResult
    func set(_ value: Value) -> Bool {
        let (isFirst, waiting): (Bool, CheckedContinuation<Value, Never>?) = self.state.withLock { state in
            switch state {
            case .empty:
                state = .set(value)
                return (true, nil)
            case .awaited(let continuation):
                state = .taken
                return (true, continuation)
            case .set, .taken: return (false, nil)
            }
        }
        // Outside the lock: resuming can run whatever the executor does on enqueueing.
        waiting?.resume(returning: value)
        return isFirst
    }

    /// Waits for the value. To be called once.
    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let value: Value? = self.state.withLock { state in
                switch state {
                case .empty:
                    state = .awaited(continuation)
                    return nil
                case .set(let value):
                    state = .taken
                    return value
                case .awaited, .taken: preconditionFailure("a value that can be taken once was taken twice")
                }
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}
