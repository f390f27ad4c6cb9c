/// The state of a value that is set once and taken once. The owner provides storage and locking.
enum OneShotState<Value: Sendable> {
    /// The value is not set and no task waits.
    case empty
    /// A task waits for the value.
    case awaited(ShotWaiter<Value>)
    /// The value is set and not taken yet.
    case set(Value)
    /// The value was taken.
    case taken

    /// Sets the value, unless it is already set.
    ///
    /// - Returns: Whether this call set the value, and the waiter to resume with it, if there is one.
    mutating func set(_ value: Value) -> (isFirst: Bool, waiting: ShotWaiter<Value>?) {
        switch self {
        case .empty:
            self = .set(value)
            return (true, nil)
        case .awaited(let waiter):
            self = .taken
            return (true, waiter)
        case .set, .taken: return (false, nil)
        }
    }

    /// Takes the value, which may be done once.
    ///
    /// - Returns: The value, or `nil` if it is not set yet.
    mutating func take() -> Value? {
        switch self {
        case .empty: return nil
        case .set(let value):
            self = .taken
            return value
        case .awaited, .taken: preconditionFailure("a value that can be taken only once was taken twice")
        }
    }

    /// Takes the value if it is set; otherwise stores `waiter`, which a later `set` returns.
    mutating func take(or waiter: ShotWaiter<Value>) -> Value? {
        if let value = self.take() { return value }
        self = .awaited(waiter)
        return nil
    }
}

/// A task that waits for a value, to be resumed exactly once.
///
/// Uses an unsafe continuation because `OneShotState` already guarantees a single resumption: only `awaited` holds a
/// waiter, and each transition out of it hands the waiter to the one caller that resumes it. A checked continuation
/// would allocate an object per wait, and its layout is unknown to the compiler, so each move of the state would go
/// through the runtime.
@safe
struct ShotWaiter<Value: Sendable>: Sendable {
    private let continuation: UnsafeContinuation<Value, Never>

    /// Calls `body` with a waiter and suspends until it is resumed. `body` must make sure that this happens exactly
    /// once.
    static func wait(_ body: (ShotWaiter) -> Void) async -> Value {
        await unsafe withUnsafeContinuation { body(unsafe ShotWaiter(continuation: $0)) }
    }

    /// Resumes the task with a value.
    func resume(returning value: Value) {
        unsafe self.continuation.resume(returning: value)
    }
}
