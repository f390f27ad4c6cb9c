#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reads a secret, such as a password or a token, from a file.
public enum SecretFile {
    /// The maximum length of a secret, in bytes. A larger file is certainly not a secret.
    public static let byteLimit = 64 << 10

    /// The reason why the secret cannot be read.
    public struct Unreadable: Error, Sendable, Equatable, CustomStringConvertible {
        /// The path and the problem, without the file's content.
        public var description: String
    }

    /// The system's message for the last failed call.
    private static var reason: String { unsafe String(cString: strerror(errno)) }

    /// Returns the file's text without trailing line ends.
    ///
    /// Blocks on the disk, but not on a pipe.
    public static func read(_ path: String) throws(Unreadable) -> String {
        try self.text(try self.bytes(path), path)
    }

    /// Returns the file's bytes.
    ///
    /// Blocks on the disk, but not on a pipe.
    package static func bytes(_ path: String) throws(Unreadable) -> ArraySlice<UInt8> {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw Unreadable(description: "\(path): cannot open it (\(self.reason))") }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: Self.byteLimit + 1)
        var count = 0
        while count < bytes.count {
            let found = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe fileRead(file, buffer.baseAddress! + count, buffer.count - count)
            }
            guard found >= 0 else { throw Unreadable(description: "\(path): cannot read it (\(self.reason))") }
            if found == 0 { break }
            count += found
        }
        guard count <= Self.byteLimit else {
            throw Unreadable(description: "\(path): it has more than \(Self.byteLimit) bytes")
        }
        return bytes[..<count]
    }

    /// Returns the secret in a file's bytes.
    ///
    /// - Throws: `Unreadable`, also for white space at either end. Editors leave it behind, no server accepts it as a
    ///   part of the secret, and a failed login would not say why.
    package static func text(_ bytes: ArraySlice<UInt8>, _ path: String) throws(Unreadable) -> String {
        var bytes = bytes
        while let last = bytes.last, last == 0x0A || last == 0x0D { bytes.removeLast() }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) || bytes.starts(with: [0xFE, 0xFF])
            || bytes.starts(with: [0xFF, 0xFE])
        {
            throw Unreadable(description: "\(path): it begins with a byte order mark: save it as UTF-8 without one")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Unreadable(description: "\(path): it is not UTF-8")
        }
        guard !text.isEmpty else { throw Unreadable(description: "\(path): it is empty") }
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last,
            !first.properties.isWhitespace, !last.properties.isWhitespace
        else {
            let isBlank = text.unicodeScalars.allSatisfy(\.properties.isWhitespace)
            let problem = isBlank ? "it is blank" : "it begins or ends with white space: remove it"
            throw Unreadable(description: "\(path): \(problem)")
        }
        return text
    }
}

/// Calls `read(2)`, whose name is hidden by the enum's own method.
private func fileRead(_ file: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(file, buffer, count)
}
