import CHiredis
import Foundation

/// A TCP connection to a loopback port that sends bytes as they are, for requests that no HTTP client makes.
final class RawHTTP {
    private let descriptor: Int32

    /// Connects; a read that gets nothing for `timeout` seconds ends.
    init(port: Int, timeout: Int = 60) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = UInt16(port).bigEndian
        target.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw RawSocket.Failure(code: errno) }
    }

    deinit {
        close(self.descriptor)
    }

    /// Sends text; a peer that is gone is no error.
    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Foundation.send(self.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Reads until the peer closes or says nothing for the timeout. Returns the text, and whether the peer closed.
    func readToEnd() -> (text: String, isClosed: Bool) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(self.descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                bytes += buffer[..<count]
            } else {
                return (String(decoding: bytes, as: UTF8.self), count == 0)
            }
        }
    }

    /// Sends a request on a connection of its own and returns the status of the response, 0 without one.
    static func status(port: Int, _ request: String) throws -> Int {
        let connection = try RawHTTP(port: port)
        connection.send(request)
        return Int(connection.readToEnd().text.split(separator: " ").dropFirst().first ?? "") ?? 0
    }
}

extension RawHTTP {
    /// Reads what is there, at most for the timeout.
    func readOnce() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(self.descriptor, &buffer, buffer.count, 0)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
    }
}
