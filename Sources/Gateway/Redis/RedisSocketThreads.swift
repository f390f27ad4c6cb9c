import HTTPBase
import NIOCore
import NIOPosix
import ServiceLifecycle
import Sockets

/// The unencrypted addresses of the Redis door, with the threads that serve them.
struct RedisSocketThreads: Sendable {
    /// The addresses.
    let listeners: DoorListeners
    /// The state of the door.
    let parts: RedisDoorParts
    /// The changes and messages for each thread.
    let inboxes: [RedisInbox]
    /// The door's counters.
    let metrics: RedisMetrics

    /// Serves until shut down or cancelled. All threads have ended when this returns.
    ///
    /// - Throws: `ServerFailure` if the door cannot listen, or the error of the system if a thread cannot start.
    func serve() async throws {
        var posts: [RedisSocketPost] = []
        for _ in self.inboxes { posts.append(RedisSocketPost(try WakeUp())) }
        let threads = posts
        // Its event loop only finds out whether a Unix socket is in use.
        try await MultiThreadedEventLoopGroup.withEventLoopGroup(numberOfThreads: 1) { group in
            try await self.serve(threads, on: group.any())
        }
    }

    private func serve(_ posts: [RedisSocketPost], on loop: any EventLoop) async throws {
        let bind: (ListenAddress, String?) async throws -> (socket: ListeningSocket, port: Int?) = { address, path in
            try Self.bind(address, path)
        }
        let close: (ListeningSocket) async -> Void = { socket in socket.end() }
        try await self.listeners.withSockets(on: loop, bind: bind, close: close) { listeners in
            try await self.run(posts, listeners)
        }
    }

    private static func bind(
        _ address: ListenAddress, _ path: String?
    ) throws -> (socket: ListeningSocket, port: Int?) {
        let place: SocketAddress
        switch (address, path) {
        case (_, let path?): place = try SocketAddress(unixDomainSocketPath: path)
        case (.tcp(let host, let port), nil): place = try .makeAddressResolvingHost(host, port: port)
        default: throw ListenError.cannotListen(address, reason: "it is off")
        }
        let socket = try ListeningSocket(place, backlog: GatewayLimits.backlog)
        return (socket, socket.port)
    }

    /// Runs the threads until shut down or cancelled.
    private func run(
        _ posts: [RedisSocketPost], _ listeners: [DoorListeners.Listener<ListeningSocket>]
    ) async throws {
        let sockets = listeners.map(\.socket)
        let pool = NIOThreadPool(numberOfThreads: posts.count)
        pool.start()
        let result: Result<Void, any Error>
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    // Cancelled, also because a thread could not start: the same as shut down.
                    try? await gracefulShutdown()
                    for listener in listeners { listener.file?.remove() }
                    for post in posts { post.stop() }
                }
                for index in posts.indices {
                    group.addTask { try await pool.runIfActive { try self.runThread(index, posts, sockets) } }
                }
                for try await _ in group {}
            }
            result = .success(())
        } catch {
            // If cancelled before a thread has begun.
            result = error is CancellationError ? .success(()) : .failure(error)
        }
        try await pool.shutdownGracefully()
        try result.get()
    }

    private func runThread(_ index: Int, _ posts: [RedisSocketPost], _ sockets: [ListeningSocket]) throws {
        let metrics = self.metrics
        // The first thread accepts.
        let acceptor = RedisSocketAcceptor(
            sockets, posts, self.parts.connections, logger: self.listeners.logger,
            onRefusal: { metrics.door.count(.connections) })
        let loop = try RedisSocketLoop(
            self.parts, self.inboxes[index], metrics, posts[index], index == 0 ? acceptor : nil)
        loop.run()
    }
}
