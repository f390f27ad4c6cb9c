import CEpoll
package import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A socket that accepts connections and never blocks; closed at the latest when its lifetime ends.
package final class ListeningSocket: Sendable {
    /// The result of an attempt to accept a connection.
    package enum Accepted: Equatable, Sendable {
        /// The descriptor of a connection, which the caller closes.
        case connection(Int32)
        /// No connection waits.
        case nothing
        /// The system cannot accept one now, such as without free descriptors: the connection waits, and the socket
        /// stays readable.
        case failed(Int32)

        /// The result of a call that has failed with this error number.
        package static func failure(_ number: Int32) -> Accepted {
            switch number {
            // The last two are errors of the connection, which is gone (accept(2)).
            case EAGAIN, EINTR, ECONNABORTED, EPROTO: .nothing
            default: .failed(number)
            }
        }
    }

    private let state: Mutex<Int32>

    /// The descriptor, or -1 after `end`.
    package var descriptor: Int32 { self.state.withLock { $0 } }

    /// Binds a socket to an address and listens.
    ///
    /// - Throws: The error of the system.
    package init(_ address: SocketAddress, backlog: Int) throws(IOError) {
        let descriptor = sluiceMakeSocket(address.protocol.rawValue)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        // A restarted worker does not wait for connections of its predecessor.
        if address.port != nil { _ = sluiceReuseAddress(descriptor) }
        let isBound = unsafe address.withSockAddr { unsafe bind(descriptor, $0, socklen_t($1)) } == 0
        guard isBound, listen(descriptor, Int32(backlog)) == 0 else {
            let error = IOError(errnoCode: errno, reason: isBound ? "listen" : "bind")
            close(descriptor)
            throw error
        }
        self.state = Mutex(descriptor)
    }

    deinit {
        self.end()
    }

    /// Closes the socket; to be called when no thread uses it any more.
    package func end() {
        self.state.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            descriptor = -1
        }
    }

    /// The port, or `nil` for a Unix socket.
    package var port: Int? {
        let port = sluiceLocalPort(self.descriptor)
        return port >= 0 ? Int(port) : nil
    }

    /// Accepts a connection.
    package func accept() -> Accepted {
        let descriptor = sluiceAccept(self.descriptor)
        return descriptor >= 0 ? .connection(descriptor) : .failure(errno)
    }
}
