#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file to which lines are appended, or a pipe or terminal to which lines are written.
///
/// A regular file is created for its owner and its group; an existing one must be trusted (`FileTrust`). A line that
/// was cut off, by a full disk or a crash, is ended before another is written.
package struct AppendedFile: ~Copyable, Sendable {
    /// How long one wait for the reader of a pipe may take before `isStopped` is asked again.
    private static let pollMilliseconds: Int32 = 100
    /// The number of bytes per write to a pipe: after poll(2), a write of this size never blocks (PIPE_BUF of pipe(7)).
    private static let pipeChunk = 4096

    private let path: String
    private let descriptor: Int32
    private let isOwned: Bool
    private let isRegular: Bool
    /// Whether the last byte written is within a line.
    private var isTorn = false
    /// The bytes of an incomplete line at the end of the file, 0 if there was none. Such a line is ended.
    package private(set) var tornBytes = 0

    /// Opens a file for appending; symbolic links are followed if root or this user made them.
    ///
    /// - Throws: `SystemFailure`, also for a FIFO that nobody reads.
    package init(path: String) throws(SystemFailure) {
        let file = try FileLinks.resolve(path)
        let (descriptor, isNew) = try Self.open(file)
        var status = stat()
        let isKnown = unsafe fstat(descriptor, &status) == 0
        let isRegular = isKnown && status.st_mode & S_IFMT == S_IFREG
        if isRegular, !isNew, let problem = FileTrust.problem(status) {
            close(descriptor)
            throw SystemFailure("open \(path)", reason: problem)
        }
        self.path = path
        self.descriptor = descriptor
        self.isOwned = true
        self.isRegular = isRegular
        guard isRegular, status.st_size > 0 else { return }
        self.tornBytes = Self.tornBytes(file, Int(status.st_size))
        self.isTorn = self.tornBytes > 0
        // If this fails, as on a full disk, it is retried before the next line.
        try? self.endTornLine()
    }

    /// Writes to a descriptor that stays open, such as standard output.
    package init(standard descriptor: Int32, name: String) {
        var status = stat()
        self.path = name
        self.descriptor = descriptor
        self.isOwned = false
        self.isRegular = unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    deinit {
        if self.isOwned { close(self.descriptor) }
    }

    /// Writes complete lines, each with its line end.
    ///
    /// Waits for a disk, and for the reader of a pipe until `isStopped` returns true. If writing fails within a line,
    /// the line is ended, now or with the next write.
    package mutating func append(_ bytes: [UInt8], isStopped: () -> Bool = { false }) throws(SystemFailure) {
        try self.endTornLine()
        var start = 0
        do throws(SystemFailure) {
            while start < bytes.count {
                start += try self.write(bytes[start...], isStopped)
                self.isTorn = bytes[start - 1] != UInt8(ascii: "\n")
            }
        } catch {
            try? self.endTornLine()
            throw error
        }
    }

    private mutating func endTornLine() throws(SystemFailure) {
        guard self.isTorn else { return }
        _ = try self.write([UInt8(ascii: "\n")]) { true }
        self.isTorn = false
    }

    private func write(_ bytes: ArraySlice<UInt8>, _ isStopped: () -> Bool) throws(SystemFailure) -> Int {
        var bytes = bytes
        if !self.isRegular {
            try self.awaitReader(isStopped)
            bytes = bytes.prefix(Self.pipeChunk)
        }
        while true {
            let count = SystemCall.uninterrupted {
                unsafe bytes.withUnsafeBytes { unsafe fileWrite(self.descriptor, $0.baseAddress!, $0.count) }
            }
            if count > 0 { return count }
            guard count < 0, errno == EAGAIN else { throw SystemFailure("write \(self.path)") }
            try self.awaitReader(isStopped)
        }
    }

    private func awaitReader(_ isStopped: () -> Bool) throws(SystemFailure) {
        while true {
            var wanted = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
            let found = unsafe poll(&wanted, 1, Self.pollMilliseconds)
            if found > 0 || (found < 0 && errno != EINTR) { return }
            if isStopped() { throw SystemFailure("write \(self.path)", reason: "no process reads it") }
        }
    }

    private static func open(_ file: String) throws(SystemFailure) -> (Int32, isNew: Bool) {
        // Non-blocking, so that a FIFO without a reader is an error instead of a wait.
        let isOpenFile = FileLinks.isOpenFile(file)
        let flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | (isOpenFile ? 0 : O_NOFOLLOW)
        let created = isOpenFile ? -1 : fileOpen(file, flags | O_CREAT | O_EXCL, 0o640)
        if created >= 0 { return (created, true) }
        guard isOpenFile || errno == EEXIST else { throw SystemFailure("open \(file)") }
        let existing = fileOpen(file, flags, 0)
        guard existing >= 0 else {
            if errno == ENXIO { throw SystemFailure("open \(file)", reason: "no process reads this FIFO") }
            throw SystemFailure("open \(file)")
        }
        return (existing, false)
    }

    /// Returns the number of bytes after the last line end, which is searched for in the last 64 KiB.
    private static func tornBytes(_ file: String, _ size: Int) -> Int {
        let descriptor = fileOpen(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: min(size, 64 << 10))
        let count = unsafe pread(descriptor, &bytes, bytes.count, off_t(size - bytes.count))
        guard count > 0 else { return 0 }
        let end = bytes[..<count].lastIndex(of: UInt8(ascii: "\n"))
        return end.map { count - 1 - $0 } ?? count
    }
}

/// `open(2)`, whose name the type's own method hides.
private func fileOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { unsafe open(path, flags, mode) }

/// `write(2)`, whose name the type's own method hides.
private func fileWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}
