import Foundation
import Synchronization

/// A TCP listener that remembers all bytes it gets and answers each command, read as a RESP array, with a text.
final class FakeServer: Sendable {
    /// Its port.
    let port: Int

    private let descriptor: Int32
    private let received = Mutex<[UInt8]>([])
    private let connections = Mutex(0)

    /// All bytes that came, over all connections.
    var bytes: [UInt8] { self.received.withLock { $0 } }
    /// The same as text.
    var text: String { String(decoding: self.bytes, as: UTF8.self) }
    /// The number of connections so far.
    var connectionCount: Int { self.connections.withLock { $0 } }

    /// Lends a server; `answer` gives the bytes for a command by its name, nil for no answer.
    static func with<R>(
        _ answer: @escaping @Sendable (String) -> String?, _ body: (FakeServer) async throws -> R
    ) async throws -> R {
        let (descriptor, port) = try RawSocket.silentListener()
        let server = FakeServer(descriptor, port)
        let thread = Thread { server.accept(answer) }
        thread.start()
        defer { shutdown(descriptor, Int32(SHUT_RDWR)) }
        return try await body(server)
    }

    private init(_ descriptor: Int32, _ port: Int) {
        self.descriptor = descriptor
        self.port = port
    }

    private func accept(_ answer: @escaping @Sendable (String) -> String?) {
        while true {
            let connection = Foundation.accept(self.descriptor, nil, nil)
            guard connection >= 0 else { break }
            self.connections.withLock { $0 += 1 }
            Thread { self.serve(connection, answer) }.start()
        }
        close(self.descriptor)
    }

    private func serve(_ connection: Int32, _ answer: (String) -> String?) {
        defer { close(connection) }
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            self.received.withLock { $0 += buffer[..<count] }
            pending += buffer[..<count]
            // What is no command, such as the start of TLS, ends the connection: a client need not wait for its time limit.
            guard pending.first == UInt8(ascii: "*") else { return }
            while let name = Self.takeCommand(&pending) {
                guard let reply = answer(name) else { continue }
                let bytes = Array(reply.utf8)
                _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            }
        }
    }

    /// Takes a whole command off the bytes and returns its name in capitals; nil if there is none yet.
    private static func takeCommand(_ bytes: inout [UInt8]) -> String? {
        var index = 0
        func line() -> String? {
            guard let end = bytes[index...].firstIndex(of: 0x0A) else { return nil }
            defer { index = end + 1 }
            return String(decoding: bytes[index..<max(index, end - 1)], as: UTF8.self)
        }
        guard let head = line(), head.hasPrefix("*"), let count = Int(head.dropFirst()), count > 0 else { return nil }
        var name = ""
        for part in 0..<count {
            guard let size = line(), size.hasPrefix("$"), let length = Int(size.dropFirst()),
                index + length + 2 <= bytes.count
            else { return nil }
            if part == 0 { name = String(decoding: bytes[index..<index + length], as: UTF8.self).uppercased() }
            index += length + 2
        }
        bytes.removeFirst(index)
        return name
    }
}
