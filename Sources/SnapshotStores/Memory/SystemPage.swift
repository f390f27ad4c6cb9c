#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A page of memory.
enum SystemPage {
    /// Its size in bytes.
    static let size = sysconf(Int32(_SC_PAGESIZE))
}
