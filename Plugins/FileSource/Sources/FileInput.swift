import Glibc

/// An open file, FIFO or standard input, which is read without waiting.
struct FileInput: ~Copyable {
    /// What a read found.
    enum Piece: Equatable {
        /// Bytes, at least one.
        case bytes([UInt8])
        /// Nothing now; more may come.
        case nothingYet
        /// The end.
        case end
    }

    /// The system refused something.
    struct Failure: Error, CustomStringConvertible {
        /// What was refused, and the system's reason.
        let description: String

        init(_ what: String) {
            self.description = "\(what): \(unsafe String(cString: strerror(errno)))"
        }
    }

    /// Identifies a file, however it is called.
    struct Identity: Equatable, Sendable {
        /// The device.
        var device: UInt64
        /// The number of the file on its device.
        var inode: UInt64
    }

    /// The number of bytes per read.
    static let pieceSize = 64 << 10

    private let name: String
    private let descriptor: Int32
    private let isOwned: Bool
    /// Whether this is a file on a disk, which has a length and an identity.
    let isRegular: Bool
    /// The identity of a file on a disk.
    let identity: Identity?

    /// Opens a file or FIFO.
    init(path: String) throws(Failure) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Failure(path) }
        self.init(descriptor, name: path, isOwned: true)
    }

    /// Reads standard input.
    init() {
        self.init(STDIN_FILENO, name: "standard input", isOwned: false)
    }

    private init(_ descriptor: Int32, name: String, isOwned: Bool) {
        var status = stat()
        let isKnown = unsafe fstat(descriptor, &status) == 0
        self.name = name
        self.descriptor = descriptor
        self.isOwned = isOwned
        self.isRegular = isKnown && status.st_mode & S_IFMT == S_IFREG
        self.identity = self.isRegular ? Identity(status) : nil
    }

    deinit {
        if self.isOwned { close(self.descriptor) }
    }

    /// Reads the next bytes.
    func read() throws(Failure) -> Piece {
        // Standard input may block; what poll reports can be read at once.
        var wanted = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&wanted, 1, 0) > 0 else { return .nothingYet }
        var bytes = [UInt8](repeating: 0, count: Self.pieceSize)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe Glibc.read(self.descriptor, buffer.baseAddress!, buffer.count)
        }
        if count < 0 {
            if errno == EAGAIN || errno == EINTR { return .nothingYet }
            throw Failure(self.name)
        }
        if count > 0 {
            bytes.removeLast(bytes.count - count)
            return .bytes(bytes)
        }
        return .end
    }

    /// Moves to an offset from the beginning.
    func seek(to offset: UInt64) throws(Failure) {
        guard let offset = off_t(exactly: offset), lseek(self.descriptor, offset, SEEK_SET) >= 0 else {
            throw Failure(self.name)
        }
    }

    /// The length of the file now, or `nil` if it has none.
    var length: UInt64? {
        var status = stat()
        guard self.isRegular, unsafe fstat(self.descriptor, &status) == 0 else { return nil }
        return UInt64(max(0, status.st_size))
    }

    /// The reason why a file cannot be read, or `nil` if it can be. Opens nothing, so a writer of a FIFO is not disturbed.
    static func problem(_ path: String) -> String? {
        unsafe access(path, R_OK) == 0 ? nil : unsafe String(cString: strerror(errno))
    }

    /// Returns the identity of the file under a path, or `nil` if there is none.
    static func identity(of path: String) -> Identity? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Identity(status) : nil
    }
}

extension FileInput.Identity {
    fileprivate init(_ status: stat) {
        self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
