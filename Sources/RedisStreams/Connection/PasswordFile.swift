#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reads a password out of a file.
enum PasswordFile {
    /// The longest password, in bytes: a larger file is certainly another one.
    static let byteLimit = 64 << 10

    /// The file's text without line ends behind it.
    ///
    /// Waits for the disk; does not wait for a pipe. Throws `badSettings` where there is no password to be had.
    static func read(_ path: String) throws(RedisError) -> Secret {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw self.refusal(path, "cannot open it (error \(errno))") }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: Self.byteLimit + 1)
        var count = 0
        while count < bytes.count {
            let found = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe fileRead(file, buffer.baseAddress! + count, buffer.count - count)
            }
            guard found >= 0 else { throw self.refusal(path, "cannot read it (error \(errno))") }
            if found == 0 { break }
            count += found
        }
        guard count <= Self.byteLimit else { throw self.refusal(path, "it is longer than \(Self.byteLimit) bytes") }
        return try self.password(bytes[..<count], path)
    }

    /// The password in a file's bytes.
    static func password(_ bytes: ArraySlice<UInt8>, _ path: String) throws(RedisError) -> Secret {
        var bytes = bytes
        while let last = bytes.last, last == 0x0A || last == 0x0D { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw self.refusal(path, "it is not UTF-8") }
        guard !text.isEmpty else { throw self.refusal(path, "it is empty") }
        return Secret(text)
    }

    private static func refusal(_ path: String, _ what: String) -> RedisError {
        RedisError(.badSettings, "redis.password_file: \(path): \(what)", isTransient: false)
    }
}

/// `read(2)`, whose name the enum's own method hides.
private func fileRead(_ file: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(file, buffer, count)
}
