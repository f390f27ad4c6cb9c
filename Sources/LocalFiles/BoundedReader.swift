#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads a file of any kind up to a limit.
package struct BoundedReader: ~Copyable {
    /// A system call that failed.
    package struct SystemError: Error {
        /// The call's error number.
        package var number: Int32

        /// Whether there is no file at the path.
        package var isMissing: Bool { self.number == ENOENT || self.number == ENOTDIR }
    }

    /// Bytes per read.
    private static let chunk = 64 << 10

    private let descriptor: Int32

    /// Whether the file is a regular file, which can be read without waiting for another process.
    package var isRegular: Bool { FileStatus(descriptor: self.descriptor)?.kind == .regular }

    /// Whether the file is a directory.
    package var isDirectory: Bool { FileStatus(descriptor: self.descriptor)?.kind == .directory }

    /// Opens the file for reading.
    ///
    /// - Parameter waits: Whether opening and reading may block, for example for the writer of a FIFO.
    package init(path: String, waits: Bool = true) throws(SystemError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | (waits ? 0 : O_NONBLOCK))
        if descriptor < 0 { throw SystemError(number: errno) }
        self.descriptor = descriptor
    }

    deinit {
        close(self.descriptor)
    }

    /// Returns the content up to the file's end; content far beyond `limit` bytes is cut off.
    package func read(limit: Int) throws(SystemError) -> [UInt8] {
        let descriptor = self.descriptor
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: Self.chunk)
        while bytes.count <= limit {
            let count = SystemCall.uninterrupted { unsafe fileRead(descriptor, &buffer, buffer.count) }
            if count < 0 { throw SystemError(number: errno) }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }
}

/// `read(2)`, whose name the type's own method hides.
private func fileRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(descriptor, bytes, count)
}
