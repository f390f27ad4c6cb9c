#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A regular file that is read from its beginning.
package struct InputFile: ~Copyable {
    private let path: String
    private let descriptor: Int32

    /// The size of the file when it was opened, in bytes.
    package let size: Int

    /// Opens a file; `nil` if it does not exist.
    ///
    /// - Throws: `SystemFailure`, also if the file is not a regular file or if another user could have written it.
    package init?(trusted path: String) throws(SystemFailure) {
        // Non-blocking, so that a FIFO at this path is refused instead of waited for.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 {
            if errno == ENOENT { return nil }
            throw SystemFailure("open \(path)")
        }
        var status = stat()
        let isRegular = unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        if let problem = isRegular ? FileTrust.problem(status) : "it is not a regular file" {
            close(descriptor)
            throw SystemFailure("open \(path)", reason: problem)
        }
        self.path = path
        self.descriptor = descriptor
        self.size = Int(status.st_size)
    }

    deinit {
        close(self.descriptor)
    }

    /// The input that reads from the file.
    package var input: Input { Input(descriptor: self.descriptor, path: self.path) }

    /// Reads the file's bytes in order.
    package struct Input {
        fileprivate let descriptor: Int32
        fileprivate let path: String

        /// The next bytes; fewer than `count` only at the end of the file.
        package func read(_ count: Int) throws(SystemFailure) -> [UInt8] {
            var failure: SystemFailure?
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                while filled < count, let base = buffer.baseAddress {
                    let read = SystemCall.uninterrupted {
                        unsafe Self.read(self.descriptor, base + filled, count - filled)
                    }
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
