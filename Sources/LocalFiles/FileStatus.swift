#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The kind, the permissions and the size of a file at one moment.
package struct FileStatus: Equatable, Sendable {
    /// The kind of a file.
    package enum Kind: Sendable {
        /// A file with bytes, which can be read without waiting for another process.
        case regular
        /// A directory.
        case directory
        /// A symbolic link.
        case symbolicLink
        /// A Unix socket.
        case socket
        /// A device or a FIFO.
        case other
    }

    /// The kind.
    package let kind: Kind
    /// The permissions: mode bits, as for chmod.
    package let permissions: Int
    /// The number of bytes.
    package let size: Int

    /// Reads the status of the file at a path without following a symbolic link, or returns `nil` if there is none or
    /// if this user cannot find out.
    package init?(of path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// Reads the status of an open file, or returns `nil` if the descriptor is not open.
    init?(descriptor: Int32) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        self.kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFSOCK: .socket
            default: .other
            }
        self.permissions = Int(status.st_mode & 0o7777)
        self.size = Int(status.st_size)
    }
}
