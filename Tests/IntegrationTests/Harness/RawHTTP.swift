import Foundation

/// A TCP connection to a loopback port that sends bytes as they are, for requests that no HTTP client makes.
final class RawHTTP {
    private let descriptor: Int32

    /// Connects; a read that gets nothing for `timeout` seconds ends.
    init(port: Int, timeout: Int = 60) throws {
        self.descriptor = try RawSocket.connection(to: port)
        RawSocket.limitReads(of: self.descriptor, seconds: timeout)
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
