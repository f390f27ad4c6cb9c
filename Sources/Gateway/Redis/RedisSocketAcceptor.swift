import Logging
import NIOCore
import Sockets

/// Accepts the connections of the Redis door's unencrypted addresses on one thread, and distributes them over all.
struct RedisSocketAcceptor {
    private let listeners: [ListeningSocket]
    private let posts: [RedisSocketPost]
    private let connections: DoorConnections
    private let logger: Logger
    private let onRefusal: () -> Void
    private let acceptNext: (ListeningSocket) -> ListeningSocket.Accepted
    /// The thread of the next connection.
    private var thread = 0
    /// The time until which nothing is accepted, because the system could not.
    private(set) var pausedUntil: NIODeadline?
    private var hasReported = false

    /// Creates an acceptor.
    ///
    /// - Parameters:
    ///   - listeners: The sockets.
    ///   - posts: The threads; the first is the one that uses the acceptor.
    ///   - connections: The number of connections.
    ///   - logger: The logger.
    ///   - onRefusal: Called when a connection is refused because there are too many.
    ///   - accept: Accepts a connection.
    init(
        _ listeners: [ListeningSocket], _ posts: [RedisSocketPost], _ connections: DoorConnections, logger: Logger,
        onRefusal: @escaping () -> Void,
        accept: @escaping (ListeningSocket) -> ListeningSocket.Accepted = { $0.accept() }
    ) {
        self.listeners = listeners
        self.posts = posts
        self.connections = connections
        self.logger = logger
        self.onRefusal = onRefusal
        self.acceptNext = accept
    }

    /// Has a poller watch the sockets; returns `false` if the system has no memory for it.
    func watch(_ poller: borrowing Poller) -> Bool {
        for listener in self.listeners {
            if !poller.add(listener.descriptor, .read) { return false }
        }
        return true
    }

    /// Accepts connections of the socket with this descriptor.
    ///
    /// - Returns: The descriptors of those that have entered the door's connections and stay on this thread.
    mutating func accept(_ descriptor: Int32, _ poller: borrowing Poller) -> [Int32] {
        guard let listener = self.listeners.first(where: { $0.descriptor == descriptor }) else { return [] }
        var own: [Int32] = []
        for _ in 0..<GatewayLimits.acceptsPerTurn {
            switch self.acceptNext(listener) {
            case .nothing: return own
            case .failed(let number):
                self.pause(number, poller)
                return own
            case .connection(let connection):
                self.hasReported = false
                if self.admit(connection) { own.append(connection) }
            }
        }
        return own
    }

    /// Passes a connection to its thread; returns whether that is this one.
    private mutating func admit(_ descriptor: Int32) -> Bool {
        guard self.connections.enter() else {
            StreamSocket.refuse(descriptor)
            self.onRefusal()
            return false
        }
        let thread = self.thread
        self.thread = (thread + 1) % self.posts.count
        if thread == 0 { return true }
        if !self.posts[thread].leave(descriptor) {
            // The door closes.
            StreamSocket.refuse(descriptor)
            self.connections.leave()
        }
        return false
    }

    private mutating func pause(_ number: Int32, _ poller: borrowing Poller) {
        if !self.hasReported {
            self.hasReported = true
            let error = IOError(errnoCode: number, reason: "accept")
            self.logger.error(
                "gateway cannot accept connections", metadata: ["door": "redis", "error": "\(error)"])
        }
        for listener in self.listeners { poller.change(listener.descriptor, []) }
        self.pausedUntil = .now() + GatewayLimits.acceptPause
    }

    /// Accepts connections again if the pause is over.
    mutating func resume(_ now: NIODeadline, _ poller: borrowing Poller) {
        guard let end = self.pausedUntil, end <= now else { return }
        self.pausedUntil = nil
        for listener in self.listeners { poller.change(listener.descriptor, .read) }
    }
}
