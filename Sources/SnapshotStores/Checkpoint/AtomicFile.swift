#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A system call that failed.
struct SystemFailure: Error, CustomStringConvertible {
    /// What was done.
    let call: String
    /// The call's error number.
    let number: Int32

    /// What was done, and the system's own words.
    var description: String { unsafe "\(self.call): \(String(cString: strerror(self.number)))" }

    init(_ call: String) {
        self.call = call
        self.number = errno
    }
}

/// A file that takes another's place as a whole or not at all, whenever the process or the machine stops.
///
/// The bytes go to a file beside it, which is synced, renamed over the old one, and the folder synced after it.
struct AtomicFile: ~Copyable {
    private let path: String
    private let temporary: String
    private let descriptor: Int32
    private var isCommitted = false

    /// Begins a new version of a file, under its name with `suffix` behind it; what an earlier attempt has left there is
    /// overwritten.
    init(replacing path: String, beside suffix: String = ".new") throws(SystemFailure) {
        self.path = path
        self.temporary = path + suffix
        // Only for its owner: what stores hold is nobody else's business.
        self.descriptor = unsafe open(self.temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if self.descriptor < 0 { throw SystemFailure("open \(self.temporary)") }
    }

    deinit {
        close(self.descriptor)
        if !self.isCommitted { unsafe unlink(self.temporary) }
    }

    /// Where bytes go.
    var output: Output { Output(descriptor: self.descriptor, path: self.temporary) }

    /// Appends bytes to the new version.
    struct Output {
        fileprivate let descriptor: Int32
        fileprivate let path: String

        /// Writes all of the bytes.
        func write(_ bytes: [UInt8]) throws(SystemFailure) {
            var start = 0
            while start < bytes.count {
                let count = unsafe bytes[start...].withUnsafeBytes { piece in
                    unsafe piece.baseAddress.map { unsafe Self.write(self.descriptor, $0, piece.count) } ?? 0
                }
                if count < 0, errno == EINTR { continue }
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

    /// Makes sure that the bytes are on the disk.
    func sync() throws(SystemFailure) {
        if fsync(self.descriptor) != 0 { throw SystemFailure("fsync \(self.temporary)") }
    }

    /// Puts the new version in the old one's place.
    mutating func commit() throws(SystemFailure) {
        if unsafe rename(self.temporary, self.path) != 0 { throw SystemFailure("rename \(self.temporary)") }
        self.isCommitted = true
        try Self.syncFolder(of: self.path)
    }

    /// Takes a file away, for good; none there is fine.
    static func remove(_ path: String) throws(SystemFailure) {
        if unsafe unlink(path) != 0 {
            if errno == ENOENT { return }
            throw SystemFailure("unlink \(path)")
        }
        try self.syncFolder(of: path)
    }

    private static func syncFolder(of path: String) throws(SystemFailure) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { throw SystemFailure("open \(folder)") }
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw SystemFailure("fsync \(folder)") }
    }
}

/// A regular file to read from its start.
struct InputFile: ~Copyable {
    private let path: String
    private let descriptor: Int32

    /// Opens a file; nil where there is none.
    init?(_ path: String) throws(SystemFailure) {
        self.path = path
        // Without waiting, so that a pipe in its place is refused and not waited for.
        self.descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if self.descriptor < 0 {
            if errno == ENOENT { return nil }
            throw SystemFailure("open \(path)")
        }
        var status = stat()
        guard unsafe fstat(self.descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            errno = EINVAL
            throw SystemFailure("\(path) is not a regular file")
        }
    }

    deinit {
        close(self.descriptor)
    }

    /// What is read from.
    var input: Input { Input(descriptor: self.descriptor, path: self.path) }

    /// Gives the file's bytes in order.
    struct Input {
        fileprivate let descriptor: Int32
        fileprivate let path: String

        /// The next bytes: fewer than asked for only at the file's end.
        func read(_ count: Int) throws(SystemFailure) -> [UInt8] {
            var failure: SystemFailure?
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                while filled < count, let base = buffer.baseAddress {
                    let read = unsafe Self.read(self.descriptor, base + filled, count - filled)
                    if read < 0, errno == EINTR { continue }
                    if read < 0 { failure = SystemFailure("read \(self.path)") }
                    if read <= 0 { break }
                    filled += read
                }
            }
            if let failure { throw failure }
            return bytes
        }

        private static func read(_ descriptor: Int32, _ base: UnsafeMutableRawPointer, _ count: Int) -> Int {
            #if canImport(Glibc)
                unsafe Glibc.read(descriptor, base, count)
            #else
                unsafe Musl.read(descriptor, base, count)
            #endif
        }
    }
}
