public import Synchronization

/// A `Mutex` whose ordering the thread sanitizer can see.
///
/// The mutex alone orders its critical sections. But if a thread has to wait for it, that happens in a library that the
/// sanitizer does not instrument, and it reports the guarded values, even a plain counter (Swift 6.3.1). Therefore a
/// word is read when the lock is taken and written when it is released; on x86 and ARM that costs almost nothing. Use
/// it for values that threads really contend for.
///
/// Public, because the compiler specialises a generic type in another module only if its code is public: for a
/// `package` type each use would look up its layout at run time, which is many times more expensive than the lock.
public struct OrderedMutex<Value>: ~Copyable, Sendable {
    @usableFromInline let mutex: Mutex<Value>
    @usableFromInline let order = Atomic<UInt>(0)

    /// Creates a mutex that guards a value.
    public init(_ value: consuming sending Value) {
        self.mutex = Mutex(value)
    }

    /// Runs `body` with the value while no other thread has it.
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
