import Foundation
import Synchronization
import Testing

/// The socket that a manager listens on.
final class NotifyListener: Sendable {
    private let descriptor: Int32
    private let heard = Mutex<[String]>([])

    /// Listens on a path, or on an abstract name that begins with `@`.
    init(_ name: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if name.hasPrefix("@") { bytes[0] = 0 }
        try #require(bytes.count < 108)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        try #require(result == 0)
        self.descriptor = descriptor
    }

    deinit { close(self.descriptor) }

    /// Everything heard so far, line by line.
    var lines: [String] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(self.descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { break }
            let text = String(decoding: buffer[..<count], as: UTF8.self)
            self.heard.withLock { $0 += text.split(separator: "\n").map(String.init) }
        }
        return self.heard.withLock { $0 }
    }

    /// How often a line was heard.
    func count(_ line: String) -> Int { self.lines.count { $0 == line } }
}
