import StageKit

/// A value that is set once, from any thread, and awaited by at most one task.
package final class OneShot<Value: Sendable>: Sendable {
    private let state = OrderedMutex(OneShotState<Value>.empty)

    /// Creates a one-shot without a value.
    package init() {}

    /// Sets the value, unless it is already set.
    ///
    /// - Returns: Whether this call set the value.
    @discardableResult
    package func set(_ value: Value) -> Bool {
        let (isFirst, waiting) = self.state.withLock { $0.set(value) }
        // Resume outside the lock: the executor may run arbitrary code when it enqueues the task.
        waiting?.resume(returning: value)
        return isFirst
    }

    /// Waits for the value. Must be called at most once.
    package func value() async -> Value {
        if let value = self.state.withLock({ $0.take() }) { return value }
        let value = await ShotWaiter.wait { waiter in
            let value = self.state.withLock { $0.take(or: waiter) }
            if let value { waiter.resume(returning: value) }
        }
        // The thread sanitizer does not see that resuming a task orders memory accesses; taking the lock shows it the
        // order.
        self.state.withLock { _ in }
        return value
    }
}
