#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A system call that failed, or a file that must not be used.
package struct SystemFailure: Error, CustomStringConvertible {
    /// The operation, with the path.
    package let call: String
    /// The error number of the call, or 0 if no call failed.
    package let number: Int32
    /// The reason.
    package let reason: String

    /// The operation and the reason.
    package var description: String { "\(self.call): \(self.reason)" }

    /// Creates a failure from `errno`.
    package init(_ call: String) {
        self.call = call
        self.number = errno
        self.reason = unsafe String(cString: strerror(errno))
    }

    /// Creates a failure without an error number.
    package init(_ call: String, reason: String) {
        self.call = call
        self.number = 0
        self.reason = reason
    }
}
