import HTTPBase
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle

/// Listens on the addresses of a door until it is shut down.
struct DoorListeners: Sendable {
    /// The addresses.
    let addresses: DoorAddresses
    /// The door's name in the file.
    let door: String
    /// The certificate and the CA bundle for clients, or `nil` without encryption.
    let tls: TLSConfiguration?
    /// The number of connections.
    let connections: DoorConnections
    /// The logger.
    let logger: Logger
    /// Called with each actual address once clients can connect there.
    let onListening: @Sendable (ListenAddress) -> Void

    /// Serves until shut down or cancelled. Requests in flight are answered first, and Unix sockets are removed.
    ///
    /// - Parameters:
    ///   - group: The threads.
    ///   - loops: The connections of each event loop.
    ///   - makeHandlers: Adds the handlers of a connection that has been admitted, on its event loop; `nil` closes it.
    ///   - onRefusal: Called when a connection is refused because there are too many.
    /// - Throws: `ServerFailure` if the door cannot listen.
    func serve<State>(
        on group: MultiThreadedEventLoopGroup, _ loops: DoorLoops<State>,
        onRefusal: @escaping @Sendable () -> Void,
        makeHandlers: @escaping @Sendable (any Channel, State) throws -> Void
    ) async throws {
        let tls = try self.tls.map { try NIOSSLContext(configuration: $0) }
        let bind: (ListenAddress, String?) async throws -> (socket: any Channel, port: Int?) = { address, path in
            let isEncrypted = if case .tcp = address { true } else { false }
            let bootstrap = self.bootstrap(group, loops, isEncrypted ? tls : nil, onRefusal, makeHandlers)
            let channel =
                switch (address, path) {
                case (_, let path?): try await bootstrap.bind(unixDomainSocketPath: path).get()
                case (.tcp(let host, let port), nil): try await bootstrap.bind(host: host, port: port).get()
                default: throw ListenError.cannotListen(address, reason: "it is off")
                }
            return (channel, channel.localAddress?.port)
        }
        let result: Result<Void, any Error>
        do {
            try await self.withSockets(on: group.any(), bind: bind, close: { try? await $0.close() }) { _ in
                // Cancelled: the same as shut down.
                try? await gracefulShutdown()
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        loops.stop()
        let deadline = ContinuousClock.now + .seconds(GatewayLimits.closingSeconds)
        while self.connections.count > 0, ContinuousClock.now < deadline {
            guard (try? await Task.sleep(for: .milliseconds(5))) != nil else { break }
        }
        try result.get()
    }

    /// A socket that clients can connect to.
    struct Listener<Socket> {
        /// The socket.
        let socket: Socket
        /// The file of a Unix socket.
        let file: UnixSocketFile?
    }

    /// Listens on the addresses, calls `body`, and removes and closes the sockets.
    ///
    /// - Parameters:
    ///   - loop: An event loop that finds out whether a Unix socket is in use.
    ///   - bind: Listens on an address, or on a Unix socket at the path that is passed too; returns the socket and its
    ///     port.
    ///   - close: Closes a socket.
    ///   - body: Called once clients can connect to all addresses.
    /// - Throws: `ServerFailure` if the door cannot listen, or the error of `body`.
    func withSockets<Socket>(
        on loop: any EventLoop, bind: (ListenAddress, String?) async throws -> (socket: Socket, port: Int?),
        close: (Socket) async -> Void, _ body: ([Listener<Socket>]) async throws -> Void
    ) async throws {
        var listeners: [Listener<Socket>] = []
        let result: Result<Void, any Error>
        do {
            for address in self.addresses.listen {
                listeners.append(try await self.listen(address, on: loop, bind, close))
            }
            try await body(listeners)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for listener in listeners {
            listener.file?.remove()
            await close(listener.socket)
        }
        try result.get()
    }

    private func listen<Socket>(
        _ address: ListenAddress, on loop: any EventLoop,
        _ bind: (ListenAddress, String?) async throws -> (socket: Socket, port: Int?), _ close: (Socket) async -> Void
    ) async throws -> Listener<Socket> {
        do {
            var file: UnixSocketFile?
            if case .unix(let path) = address {
                file = try UnixSocketFile(path: path, access: self.addresses.socketAccess)
                try await file?.clear(on: loop)
            }
            let (socket, port) = try await bind(address, file?.bindPath)
            do {
                try file?.publish()
            } catch {
                await close(socket)
                throw error
            }
            var actual = address
            if case .tcp(let host, _) = address, let port { actual = .tcp(host: host, port: port) }
            self.logger.notice("gateway listens", metadata: ["door": "\(self.door)", "address": "\(actual)"])
            self.onListening(actual)
            return Listener(socket: socket, file: file)
        } catch {
            let error = ListenError.explain(error, at: address)
            throw (error as? ListenError).map { ServerFailure("gateway.\(self.door).listen", $0) } ?? error
        }
    }

    private func bootstrap<State>(
        _ group: MultiThreadedEventLoopGroup, _ loops: DoorLoops<State>, _ tls: NIOSSLContext?,
        _ onRefusal: @escaping @Sendable () -> Void,
        _ makeHandlers: @escaping @Sendable (any Channel, State) throws -> Void
    ) -> ServerBootstrap {
        let connections = self.connections
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(GatewayLimits.backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // An idle connection whose client is gone does not stay for ever.
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            // A request and its successors are in one read; another one would only find that there is nothing more.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                guard connections.enter() else {
                    onRefusal()
                    return channel.close()
                }
                guard let state = loops.state(of: channel.eventLoop) else { return channel.close() }
                return channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try makeHandlers(channel, state.value)
                }
            }
    }
}

extension DoorListeners.Listener: Sendable where Socket: Sendable {}

/// The state of a door on each of its event loops.
struct DoorLoops<State>: Sendable {
    private let loops: [ObjectIdentifier: (loop: any EventLoop, state: NIOLoopBound<State>)]
    private let onStop: @Sendable (State) -> Void

    /// Creates the state on each event loop.
    ///
    /// - Parameters:
    ///   - group: The event loops.
    ///   - make: Creates the state, on its event loop, whose number is passed too.
    ///   - onSecond: Called every second, on the event loop.
    ///   - onStop: Called when the door closes, on the event loop.
    init(
        on group: MultiThreadedEventLoopGroup, make: @escaping @Sendable (any EventLoop, Int) -> State,
        onSecond: @escaping @Sendable (State) -> Void, onStop: @escaping @Sendable (State) -> Void
    ) async throws {
        var loops: [ObjectIdentifier: (loop: any EventLoop, state: NIOLoopBound<State>)] = [:]
        for (index, loop) in group.makeIterator().enumerated() {
            let state = try await loop.submit {
                let state = NIOLoopBound(make(loop, index), eventLoop: loop)
                loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in onSecond(state.value) }
                return state
            }.get()
            loops[ObjectIdentifier(loop)] = (loop, state)
        }
        self.loops = loops
        self.onStop = onStop
    }

    /// The state on an event loop, or `nil` if the loop is not one of the door's.
    func state(of loop: any EventLoop) -> NIOLoopBound<State>? { self.loops[ObjectIdentifier(loop)]?.state }

    /// Closes the connections.
    func stop() {
        for (loop, state) in self.loops.values { loop.execute { self.onStop(state.value) } }
    }
}
