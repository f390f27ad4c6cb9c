/// Decides whether a file may be run as code: only root and the worker's own user can have written it or put it there.
public enum PluginTrust {
    /// The file system's information about a file or a directory.
    public struct FileStatus: Sendable, Equatable {
        /// Its path.
        public var path: String
        /// The owner's user id.
        public var owner: UInt32
        /// File type and permissions, as in `st_mode`.
        public var mode: UInt32

        /// Creates a status.
        public init(path: String, owner: UInt32, mode: UInt32) {
            self.path = path
            self.owner = owner
            self.mode = mode
        }

        /// Whether it is a directory (`S_IFDIR`).
        var isDirectory: Bool { self.mode & 0o170000 == 0o040000 }
        /// Whether it is a regular file (`S_IFREG`).
        var isFile: Bool { self.mode & 0o170000 == 0o100000 }
        /// Whether only the owner of an entry may move or delete it, as in /tmp (`S_ISVTX`).
        var isSticky: Bool { self.mode & 0o1000 != 0 }
        /// Whether the group or other users may write to it.
        var isWritableByOthers: Bool { self.mode & 0o022 != 0 }
    }

    /// The reason why the file is not trusted, with the remedy, or `nil` if it is trusted.
    ///
    /// - Parameters:
    ///   - chain: The root directory, each directory of the path and the file itself, in that order.
    ///   - user: The user id that the worker runs as.
    public static func problem(_ chain: [FileStatus], user: UInt32) -> String? {
        guard let file = chain.last, file.isFile else { return "is not a file" }
        for status in chain {
            let what =
                status == file
                ? "is executable code, so the file" : "is executable code, so its directory \(status.path)"
            if status.owner != 0, status.owner != user {
                return "\(what) must belong to root or to the worker's user \(user), not to user \(status.owner)"
            }
            // In a sticky directory other users may add entries, but cannot replace ours.
            if status.isWritableByOthers, !(status.isDirectory && status.isSticky) {
                return "\(what) must not be writable by its group or by others: chmod go-w \(status.path)"
            }
        }
        return nil
    }
}
