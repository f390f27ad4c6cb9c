import CEpoll
package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Wakes a thread that waits for events, from any thread.
package final class WakeUp: Sendable {
    /// The descriptor to watch: readable after `signal`.
    package let descriptor: Int32

    /// Creates a signal that is not given.
    ///
    /// - Throws: The error of the system.
    package init() throws(IOError) {
        let descriptor = sluiceMakeWakeUp()
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "eventfd") }
        self.descriptor = descriptor
    }

    deinit {
        close(self.descriptor)
    }

    /// Wakes the thread; never blocks.
    package func signal() {
        var one: UInt64 = 1
        // Fails only if the counter is full, which wakes the thread too.
        _ = unsafe write(self.descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Takes the signal back.
    package func clear() {
        var count: UInt64 = 0
        _ = unsafe read(self.descriptor, &count, MemoryLayout<UInt64>.size)
    }
}
