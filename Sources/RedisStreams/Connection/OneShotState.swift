/// What has become of a value that is set once and taken once. Pure: who has it decides where it is kept, and locks.
enum OneShotState<Value: Sendable> {
    /// Nothing set yet, and nobody waits.
    case empty
    /// Somebody waits.
    case awaited(CheckedContinuation<Value, Never>)
    /// Set, and not taken yet.
    case set(Value)
    /// Taken.
    case taken

    /// Sets the value; only the first call counts. Returns whether it was the first, and who is to be resumed with it.
    mutating func set(_ value: Value) -> (isFirst: Bool, waiting: CheckedContinuation<Value, Never>?) {
        switch self {
        case .empty:
            self = .set(value)
            return (true, nil)
        case .awaited(let continuation):
            self = .taken
            return (true, continuation)
        case .set, .taken: return (false, nil)
        }
    }

    /// Takes the value where it is set; it may be taken once.
    mutating func take() -> Value? {
        switch self {
        case .empty: return nil
        case .set(let value):
            self = .taken
            return value
        case .awaited, .taken: preconditionFailure("a value that can be taken once was taken twice")
        }
    }

    /// Takes the value where it is set by now; otherwise `continuation` gets it when it is.
    mutating func take(or continuation: CheckedContinuation<Value, Never>) -> Value? {
        if let value = self.take() { return value }
        self = .awaited(continuation)
        return nil
    }
}
