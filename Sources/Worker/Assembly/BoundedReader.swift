import Glibc
import LocalFiles

/// Reads a file up to a limit, whatever kind of file it is.
struct BoundedReader: ~Copyable {
    /// A system call that failed.
    struct SystemError: Error {
        /// The call's error number.
        var number: Int32
    }

    /// Bytes read at once.
    private static let chunk = 64 << 10

    private let descriptor: Int32

    /// Whether the file is a regular one, whose bytes come without a wait for another process.
    var isRegular: Bool { FileIdentity.isRegular(descriptor: self.descriptor) }

    /// Opens the file for reading.
    ///
    /// - Parameter waits: Whether opening and reading may wait, as for the writer of a FIFO.
    init(path: String, waits: Bool = true) throws(SystemError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | (waits ? 0 : O_NONBLOCK))
        if descriptor < 0 { throw SystemError(number: errno) }
        self.descriptor = descriptor
    }

    deinit {
        close(self.descriptor)
    }

    /// Everything up to the file's end, and at most `limit` bytes and a little more: what is beyond is cut off.
    func read(limit: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: Self.chunk)
        while bytes.count <= limit {
            let count = unsafe Glibc.read(self.descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw SystemError(number: errno) }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }
}
