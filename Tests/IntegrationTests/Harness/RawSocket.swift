import CHiredis
import Foundation
import RedisClient
import Synchronization

/// Sockets without any client, for what a test's surroundings need.
enum RawSocket {
    struct Failure: Error {
        let code: Int32
    }

    /// The ports that were given out: no other test of this process gets one again.
    private static let given = Mutex<Set<Int>>([])

    /// A loopback port that can be listened on, below those that the system gives to connections: one of these could be
    /// taken by a connection before a server listens.
    static func freePort() throws -> Int {
        for _ in 0..<10_000 {
            let port = Int.random(in: 12_000..<32_000)
            let isNew = self.given.withLock { $0.insert(port).inserted }
            guard isNew, let (descriptor, _) = try? self.listen(backlog: 1, port: port) else { continue }
            close(descriptor)
            return port
        }
        throw Failure(code: EADDRINUSE)
    }

    /// A loopback port that accepts connections and never says anything; close the descriptor to end it.
    static func silentListener() throws -> (descriptor: Int32, port: Int) {
        try self.listen(backlog: 16)
    }

    /// A connection to a loopback port; the caller closes the descriptor.
    static func connection(to port: Int) throws(Failure) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var target = self.loopback(port: port)
        let isConnected = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isConnected { return descriptor }
        let failure = Failure(code: errno)
        close(descriptor)
        throw failure
    }

    /// Ends a read of a connection that gets nothing for so many seconds.
    static func limitReads(of descriptor: Int32, seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Whether somebody takes a connection there.
    static func connects(to address: RedisAddress) -> Bool {
        switch address {
        case .tcp(_, let port):
            guard let descriptor = try? self.connection(to: port) else { return false }
            close(descriptor)
            return true
        case .unix(let path):
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            defer { close(descriptor) }
            var target = sockaddr_un()
            target.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: path.utf8) }
            return withUnsafePointer(to: &target) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
                }
            }
        }
    }

    private static func listen(backlog: Int32, port: Int = 0) throws -> (Int32, Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(code: errno) }
        var address = self.loopback(port: port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let done = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && Foundation.listen(descriptor, backlog) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard done else {
            close(descriptor)
            throw Failure(code: errno)
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
