public import Synchronization

/// A `Mutex` whose order the thread sanitizer sees.
///
/// The mutex alone orders what is done under it. But where a thread had to wait for it, that happens in a library that
/// the sanitizer does not see into, and it reports what the mutex guards, even a bare counter (Swift 6.3.1). So a word is
/// read when the lock is taken and written when it is let go; on x86 and ARM that costs next to nothing. For what
/// threads really contend for.
///
/// Public, because the compiler specialises a generic type in another module only where its code is public: as a
/// `package` type each use would look its layout up at run time, which is many times dearer than the lock.
public struct OrderedMutex<Value>: ~Copyable, Sendable {
    @usableFromInline let mutex: Mutex<Value>
    @usableFromInline let order = Atomic<UInt>(0)

    /// Makes a mutex that guards a value.
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
