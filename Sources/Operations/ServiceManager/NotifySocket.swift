import Glibc
import StageKit

/// The datagram socket for notifications to a service manager.
///
/// Source: sd_notify(3), "Notes" on the protocol; unix(7) for addresses that begin with a null byte.
final class NotifySocket: Sendable {
    /// The manager cannot be notified.
    struct Failure: Error, CustomStringConvertible {
        /// The problem, one line.
        var description: String
    }

    /// Maximum time that the manager may be too busy to accept a message that is not sent again.
    private static let sendLimit = timeval(tv_sec: 5, tv_usec: 0)

    private let descriptor: Int32

    /// Connects to the socket that NOTIFY_SOCKET names: a path, or `@` and the name of an abstract socket.
    init(_ name: String) throws(Failure) {
        guard name.hasPrefix("/") || name.hasPrefix("@") else {
            throw Failure(description: "NOTIFY_SOCKET: \(name.debugDescription) is neither a path nor an abstract name")
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < capacity else {
            throw Failure(description: "NOTIFY_SOCKET: longer than \(capacity - 1) bytes")
        }
        // Unsafe, as it accesses a tuple as bytes: the name is shorter than the tuple.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        // An abstract name has the given length; a path ends with a null byte, which is already there.
        let end = bytes[0] == 0 ? bytes.count : bytes.count + 1
        let length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + end)
        self.descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard self.descriptor >= 0 else { throw Failure(description: "no socket: error \(errno)") }
        var limit = Self.sendLimit
        _ = unsafe setsockopt(
            self.descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        // Unsafe, as sockets take addresses of any kind by pointer: it stays within the call.
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(self.descriptor, $0, length)
            }
        }
        guard result == 0 else {
            throw Failure(description: "NOTIFY_SOCKET: cannot reach \(name): error \(errno)")
        }
    }

    deinit {
        close(self.descriptor)
    }

    /// Sends one message of lines `NAME=value`.
    ///
    /// - Parameter waits: Whether to wait while the manager is busy. A message that is sent again later must not wait:
    ///   it would hold up a thread of the worker.
    /// - Returns: `false` if the manager does not accept it.
    func send(_ lines: [String], waits: Bool) -> Bool {
        let bytes = Array(lines.joined(separator: "\n").utf8)
        let flags = Int32(MSG_NOSIGNAL) | (waits ? 0 : Int32(MSG_DONTWAIT))
        return unsafe Glibc.send(self.descriptor, bytes, bytes.count, flags) == bytes.count
    }
}
