import LocalFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The file of a shared store: a new file with a name of its own, which then replaces the previous worker's.
///
/// The descriptor stays open as long as this value exists.
struct SharedFile: ~Copyable {
    /// The descriptor, open for reading and writing.
    let descriptor: Int32
    private let path: String
    private let temporary: String

    /// Creates an empty file of this size beside `path`; its space is not allocated yet.
    ///
    /// - Throws: `SystemFailure`, also if something at `path` is not the file of a shared store of this user.
    init(beside path: String, size: Int) throws(SystemFailure) {
        try Self.makeDirectory(of: path)
        try Self.checkReplaceable(path)
        let temporary = "\(path).\(getpid())-\(UInt32.random(in: 0 ... .max)).new"
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        let descriptor = unsafe open(temporary, flags, 0o600)
        if descriptor < 0 { throw SystemFailure("open \(temporary)") }
        if ftruncate(descriptor, size) != 0 {
            let failure = SystemFailure("resize \(temporary) to \(size) bytes")
            close(descriptor)
            unsafe unlink(temporary)
            throw failure
        }
        (self.descriptor, self.path, self.temporary) = (descriptor, path, temporary)
    }

    deinit {
        close(self.descriptor)
    }

    /// Sets group and permissions, and puts the file in the place of the previous one.
    func publish(mode: Int, group: String?) throws(SystemFailure) {
        if let group {
            guard let number = GroupName.number(of: group) else {
                throw SystemFailure("group \(group)", reason: "there is no such group")
            }
            var status = stat()
            // In a directory with the set-group-id bit, the file has its group already, and no permission is needed.
            let isSet = unsafe fstat(self.descriptor, &status) == 0 && status.st_gid == number
            if !isSet, fchown(self.descriptor, uid_t.max, number) != 0 {
                throw SystemFailure("change the group of \(self.path) to \(group)")
            }
        }
        // After the change of the group: until then, only the owner can read it.
        if fchmod(self.descriptor, mode_t(mode)) != 0 { throw SystemFailure("change the mode of \(self.path)") }
        if unsafe rename(self.temporary, self.path) != 0 { throw SystemFailure("rename \(self.temporary)") }
    }

    /// What is at a file's path.
    enum Presence {
        /// The file itself.
        case own
        /// Another file, or something else.
        case other
        /// Nothing.
        case missing
    }

    /// What is at the file's path now.
    var presence: Presence {
        guard let identity = FileIdentity(of: self.path) else { return .missing }
        return identity == FileIdentity(descriptor: self.descriptor) ? .own : .other
    }

    /// Removes the file, unless another one has taken its place.
    func remove() {
        if self.presence == .own { unsafe unlink(self.path) }
        unsafe unlink(self.temporary)
    }

    /// Creates the last directory of a path if it is missing: directories of a tmpfs are gone after a restart.
    private static func makeDirectory(of path: String) throws(SystemFailure) {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        let directory = String(path[..<slash])
        if unsafe mkdir(directory, 0o700) == 0 {
            // Whatever the umask: readers of another user must be able to reach the file.
            if unsafe chmod(directory, 0o755) != 0 { throw SystemFailure("change the mode of \(directory)") }
        } else if errno != EEXIST {
            throw SystemFailure("create the directory \(directory)")
        }
        var status = stat()
        guard unsafe stat(directory, &status) == 0 else { throw SystemFailure("look at \(directory)") }
        let isOwn = status.st_uid == geteuid() || status.st_uid == 0
        guard isOwn, status.st_mode & 0o022 == 0 else {
            throw SystemFailure(
                "use \(directory)",
                reason: "another user can replace files in it: use a directory that only root or the "
                    + "worker's user can write")
        }
    }

    /// Throws unless a path is free, or has the file of a shared store that this user owns and this process does not
    /// use.
    private static func checkReplaceable(_ path: String) throws(SystemFailure) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        if descriptor < 0 {
            if errno == ENOENT { return }
            if errno == ELOOP { throw SystemFailure("open \(path)", reason: "it is a symbolic link: remove it") }
            throw SystemFailure("open \(path)")
        }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw SystemFailure("open \(path)", reason: "it is not a regular file")
        }
        guard status.st_uid == geteuid() else {
            throw SystemFailure("open \(path)", reason: "it belongs to another user (\(status.st_uid)): remove it")
        }
        var words = [UInt64](repeating: 0, count: SharedLayout.Word.epoch + 1)
        let size = words.count * SharedWords.stride
        let count = unsafe words.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, size, 0) }
        guard count == size, words[SharedLayout.Word.magic] == SharedLayout.magic else {
            throw SystemFailure("open \(path)", reason: "it is not the file of a shared store: remove it")
        }
        let process = ProcessIdentity.current
        if words[SharedLayout.Word.epoch] != 0, words[SharedLayout.Word.process] == process.number,
            words[SharedLayout.Word.processStart] == process.start
        {
            throw SystemFailure("open \(path)", reason: "another store of this worker is shared there")
        }
    }
}

/// A process, whose number may be used again after its end.
struct ProcessIdentity {
    /// The process id.
    let number: UInt64
    /// The start time in clock ticks since the machine was started, or 0 if it is not known.
    let start: UInt64

    /// This process.
    static var current: ProcessIdentity {
        var start: UInt64?
        // The name of the program, in parentheses, may contain anything; the start is the 20th word after it.
        if let input = try? InputFile(trusted: "/proc/self/stat"), let bytes = try? input.input.read(4096),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        {
            let words = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
            if words.count > 19 { start = UInt64(String(decoding: words[19], as: UTF8.self)) }
        }
        return ProcessIdentity(number: UInt64(getpid()), start: start ?? 0)
    }
}
