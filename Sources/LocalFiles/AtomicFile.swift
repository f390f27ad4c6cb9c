#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that replaces another one atomically, even if the process or the machine stops.
///
/// The bytes are written to a new file in the same directory, which is synced and renamed over the old one; then the
/// directory is synced. A symbolic link is kept, and its target is replaced.
package struct AtomicFile: ~Copyable {
    private let path: String
    private let temporary: String
    private let descriptor: Int32
    private var isCommitted = false

    /// Starts a new version of a file, under its name with `suffix` added.
    ///
    /// A file that an earlier attempt of this user has left there is removed first; the new version is always a new
    /// file.
    ///
    /// - Throws: `SystemFailure`, also if a file of another user has that name.
    package init(replacing path: String, beside suffix: String = ".new") throws(SystemFailure) {
        let target = try FileLinks.resolve(path)
        let temporary = target + suffix
        try Self.removeLeftover(temporary)
        // Readable only by its owner, because the contents of stores are private.
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        let descriptor = unsafe open(temporary, flags, 0o600)
        if descriptor < 0 { throw SystemFailure("open \(temporary)") }
        (self.path, self.temporary, self.descriptor) = (target, temporary, descriptor)
    }

    private static func removeLeftover(_ path: String) throws(SystemFailure) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_uid == geteuid() else {
            throw SystemFailure("open \(path)", reason: "it belongs to another user (\(status.st_uid)): remove it")
        }
        if unsafe unlink(path) != 0 { throw SystemFailure("unlink \(path)") }
    }

    deinit {
        close(self.descriptor)
        if !self.isCommitted { unsafe unlink(self.temporary) }
    }

    /// The output that appends to the new version.
    package var output: Output { Output(descriptor: self.descriptor, path: self.temporary) }

    /// Appends bytes to the new version.
    package struct Output {
        fileprivate let descriptor: Int32
        fileprivate let path: String

        /// Writes all of the bytes.
        package func write(_ bytes: [UInt8]) throws(SystemFailure) {
            var start = 0
            while start < bytes.count {
                let count = SystemCall.uninterrupted {
                    unsafe bytes[start...].withUnsafeBytes { piece in
                        unsafe piece.baseAddress.map { unsafe Self.write(self.descriptor, $0, piece.count) } ?? 0
                    }
                }
                if count < 0 { throw SystemFailure("write \(self.path)") }
                start += count
            }
        }

        private static func write(_ descriptor: Int32, _ base: UnsafeRawPointer, _ count: Int) -> Int {
            #if canImport(Glibc)
                unsafe Glibc.write(descriptor, base, count)
            #else
                unsafe Musl.write(descriptor, base, count)
            #endif
        }
    }

    /// Waits until the bytes are on the disk.
    package func sync() throws(SystemFailure) {
        if fsync(self.descriptor) != 0 { throw SystemFailure("fsync \(self.temporary)") }
    }

    /// Replaces the old version with the new one.
    package mutating func commit() throws(SystemFailure) {
        if unsafe rename(self.temporary, self.path) != 0 { throw SystemFailure("rename \(self.temporary)") }
        self.isCommitted = true
        try Self.syncDirectory(of: self.path)
    }

    /// Removes a file durably, if it exists; a symbolic link to it is kept.
    package static func remove(_ path: String) throws(SystemFailure) {
        let path = try FileLinks.resolve(path)
        if unsafe unlink(path) != 0 {
            if errno == ENOENT { return }
            throw SystemFailure("unlink \(path)")
        }
        try self.syncDirectory(of: path)
    }

    private static func syncDirectory(of path: String) throws(SystemFailure) {
        let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { throw SystemFailure("open \(directory)") }
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw SystemFailure("fsync \(directory)") }
    }
}
