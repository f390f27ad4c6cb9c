#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Calls of the operating system.
package enum SystemCall {
    /// Makes a call, and makes it again while a signal interrupts it (EINTR).
    ///
    /// - Returns: The result of the call; if it is negative, `errno` has the reason.
    package static func uninterrupted(_ call: () -> Int) -> Int {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }
}
