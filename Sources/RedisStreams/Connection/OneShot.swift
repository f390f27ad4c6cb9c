import StageKit

/// A value that is set once, by any thread, and waited for by at most one task.
final class OneShot<Value: Sendable>: Sendable {
    private let state = OrderedMutex(OneShotState<Value>.empty)

    /// Nothing set yet.
    init() {}

    /// Sets the value; only the first call counts. Returns whether it was the first.
    @discardableResult
    func set(_ value: Value) -> Bool {
        let (isFirst, waiting) = self.state.withLock { $0.set(value) }
        // Outside the lock: resuming can run whatever the executor does on enqueueing.
        waiting?.resume(returning: value)
        return isFirst
    }

    /// Waits for the value. To be called once.
    func value() async -> Value {
        if let value = self.state.withLock({ $0.take() }) { return value }
        let value = await ShotWaiter.wait { waiter in
            let value = self.state.withLock { $0.take(or: waiter) }
            if let value { waiter.resume(returning: value) }
        }
        // For the thread sanitizer, which does not see that a task goes on after it was resumed.
        self.state.withLock { _ in }
        return value
    }
}
