import Foundation
import Glibc
import RESP

/// A blocking connection to a server that speaks the Redis protocol, on a Unix socket.
final class RedisSocket {
    /// The time in seconds that the server may take for a reply: a thousand of them take milliseconds.
    private static let patience = 30

    private let descriptor: Int32
    private var reader = RESPReader()
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// Connects to a path.
    init(path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw ToolFailure(description: "\(path) is too long for a Unix socket")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        self.descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(self.descriptor, $0, size)
            }
        }
        guard status == 0 else {
            throw ToolFailure(description: "cannot connect to \(path): error \(errno)")
        }
        var patience = timeval(tv_sec: Self.patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            let length = socklen_t(MemoryLayout<timeval>.size)
            unsafe setsockopt(self.descriptor, SOL_SOCKET, option, &patience, length)
        }
    }

    deinit {
        close(self.descriptor)
    }

    /// Sends encoded commands.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe write(self.descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { throw Self.failure(count) }
            sent += count
        }
    }

    /// Waits for replies and passes each to `body`.
    func receive(_ count: Int, _ body: (RESPReply) throws -> Void) throws {
        var missing = count
        while true {
            while missing > 0, let next = try self.reader.next() {
                // Nothing of the reply is kept, so nothing refers to it when it is recycled.
                nonisolated(unsafe) let reply = next
                if let error = unsafe reply.errorMessage {
                    throw ToolFailure(description: "the server refuses: \(error)")
                }
                try body(unsafe reply)
                unsafe self.reader.recycle(reply)
                missing -= 1
            }
            if missing == 0 { return }
            let received = unsafe self.buffer.withUnsafeMutableBytes {
                unsafe read(self.descriptor, $0.baseAddress, $0.count)
            }
            guard received > 0 else { throw Self.failure(received) }
            try unsafe self.buffer.withUnsafeBytes {
                unsafe try self.reader.feed(UnsafeRawBufferPointer(rebasing: $0[..<received]))
            }
        }
    }

    private static func failure(_ result: Int) -> ToolFailure {
        ToolFailure(
            description: result < 0 && errno == EAGAIN
                ? "the server has not answered within \(Self.patience) s" : "the server has closed the connection")
    }

    /// Sends a command and returns its reply.
    func ask(_ command: RESPCommand) throws -> RESPValue {
        try self.send(command.encoded())
        var value = RESPValue.null
        try self.receive(1) { value = $0.value() }
        return value
    }
}
