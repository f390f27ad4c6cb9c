#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The calling thread, as the kernel numbers it.
enum KernelThread {
    /// The id of the current thread, or `nil` if the system does not report it.
    ///
    /// Source: proc(5), "/proc/thread-self": a link to `PID/task/TID`.
    static var current: Int32? {
        var bytes = [CChar](repeating: 0, count: 64)
        // Unsafe because the system writes into the array; it writes at most the given number of bytes.
        let count = unsafe readlink("/proc/thread-self", &bytes, bytes.count)
        guard count > 0 else { return nil }
        let path = String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.split(separator: "/").last.flatMap { Int32($0) }
    }
}
