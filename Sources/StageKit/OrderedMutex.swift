public import Synchronization

/// A `Mutex` whose ordering is visible to the thread sanitizer.
///
/// The mutex itself orders its critical sections. But if a thread has to wait for it, that happens in a library that
/// the sanitizer does not instrument, and the sanitizer reports the guarded values, even a plain counter (Swift 6.3.1).
/// A word is therefore read when the lock is acquired and written when it is released, which costs almost nothing on
/// x86 and ARM. Use it for values that threads really contend for.
///
/// It is public because the compiler specialises a generic type in another module only if its code is public. Each use
/// of a `package` type would look up the layout at run time, which is many times more expensive than the lock.
public struct OrderedMutex<Value>: ~Copyable, Sendable {
    @usableFromInline let mutex: Mutex<Value>
    @usableFromInline let order = Atomic<UInt>(0)

    /// Creates a mutex that guards a value.
    public init(_ value: consuming sending Value) {
        self.mutex = Mutex(value)
    }

    /// Runs `body` with exclusive access to the value.
    @inlinable
    @inline(__always)
    public borrowing func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try self.mutex.withLock { (value: inout sending Value) throws(Failure) -> sending Result in
            let turn = self.order.load(ordering: .acquiring)
            defer { self.order.store(turn, ordering: .releasing) }
            return try body(&value)
        }
    }
}
