#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Decides whether an existing file may be read, or appended to, as this worker's own.
package enum FileTrust {
    /// The reason why the file must not be used, or `nil` if only root and this process's user can write to it.
    static func problem(_ status: stat) -> String? {
        self.problem(owner: status.st_uid, mode: status.st_mode, user: geteuid())
    }

    /// The same for an owner, a mode (`st_mode`) and the user that the process runs as.
    package static func problem(owner: UInt32, mode: UInt32, user: UInt32) -> String? {
        if owner != 0, owner != user {
            return "it belongs to another user (\(owner)): remove it, or change its owner to \(user)"
        }
        if mode & 0o002 != 0 { return "others may write to it: chmod o-w" }
        return nil
    }
}

/// Symbolic links.
package enum FileLinks {
    /// The maximum number of links followed for one path, as in the system (path_resolution(7)).
    private static let limit = 40

    /// Returns the path of the file that `path` leads to, which need not exist: links at its end are followed, those of
    /// directories are left to the system, as are those to open files such as `/dev/stdout`.
    ///
    /// - Throws: `SystemFailure` if another user created a link, or if there are too many.
    package static func resolve(_ path: String) throws(SystemFailure) -> String {
        var path = path
        for _ in 0..<self.limit {
            if self.isOpenFile(path) { return path }
            var status = stat()
            guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return path }
            guard status.st_uid == 0 || status.st_uid == geteuid() else {
                throw SystemFailure("open \(path)", reason: "it is a link created by another user (\(status.st_uid))")
            }
            let target = try self.target(of: path)
            path = target.hasPrefix("/") ? target : self.directory(of: path) + target
        }
        errno = ELOOP
        throw SystemFailure("open \(path)")
    }

    /// Whether there is a file of any kind.
    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Whether the path refers to an open file of this process; such a link's target is a description, not a path.
    package static func isOpenFile(_ path: String) -> Bool { path.hasPrefix("/proc/") || path.hasPrefix("/dev/fd/") }

    private static func target(of path: String) throws(SystemFailure) -> String {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe readlink(path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        guard count > 0, count < bytes.count else { throw SystemFailure("readlink \(path)") }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    }
}
