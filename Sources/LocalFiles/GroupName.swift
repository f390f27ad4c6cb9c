#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Names of the machine's groups of users.
package enum GroupName {
    /// Bytes for one entry of the group database: enough for a group with thousands of members.
    private static let entryBytes = 1 << 18

    /// Returns the number of a group given by its name or its number, or `nil` if there is no such group.
    ///
    /// Callable from any thread, unlike `getgrnam(3)`.
    package static func number(of name: String) -> UInt32? {
        if let number = gid_t(name) { return number }
        var buffer = [CChar](repeating: 0, count: Self.entryBytes)
        var entry = unsafe group_entry()
        var found: UnsafeMutablePointer<group_entry>? = nil
        let status = unsafe buffer.withUnsafeMutableBufferPointer {
            unsafe getgrnam_r(name, &entry, $0.baseAddress, $0.count, &found)
        }
        return unsafe status == 0 && found != nil ? entry.gr_gid : nil
    }
}

/// An entry of the group database.
private typealias group_entry = group
