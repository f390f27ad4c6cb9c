/// What has become of a value that is set once and taken once. Pure: who has it decides where it is kept, and locks.
enum OneShotState<Value: Sendable> {
    /// Nothing set yet, and nobody waits.
    case empty
    /// Somebody waits.
    case awaited(ShotWaiter<Value>)
    /// Set, and not taken yet.
    case set(Value)
    /// Taken.
    case taken

    /// Sets the value; only the first call counts. Returns whether it was the first, and who is to be resumed with it.
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

    /// Takes the value where it is set by now; otherwise `waiter` gets it when it is.
    mutating func take(or waiter: ShotWaiter<Value>) -> Value? {
        if let value = self.take() { return value }
        self = .awaited(waiter)
        return nil
    }
}

/// A task that waits for a value, to be resumed once.
///
/// The continuation is of the kind that does not check that, for `OneShotState` does: only `awaited` has one, and every way
/// out of it hands the waiter to the one caller that resumes it. A checked one is an object for each wait, and has no
/// layout that the compiler knows, so that each move of a state goes through the runtime.
@safe
struct ShotWaiter<Value: Sendable>: Sendable {
    private let continuation: UnsafeContinuation<Value, Never>

    /// Waits until the waiter that `body` is called with is resumed; `body` sees to it that it is, once.
    static func wait(_ body: (ShotWaiter) -> Void) async -> Value {
        await unsafe withUnsafeContinuation { body(unsafe ShotWaiter(continuation: $0)) }
    }

    /// Has the task go on with a value.
    func resume(returning value: Value) {
        unsafe self.continuation.resume(returning: value)
    }
}
