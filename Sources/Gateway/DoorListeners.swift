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
        var listeners: [Listener] = []
        let result: Result<Void, any Error>
        do {
            for address in self.addresses.listen {
                let isEncrypted = if case .tcp = address { true } else { false }
                let bootstrap = self.bootstrap(group, loops, isEncrypted ? tls : nil, onRefusal, makeHandlers)
                listeners.append(try await self.listen(address, on: group, bootstrap))
            }
            // Cancelled: the same as shut down.
            try? await gracefulShutdown()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for listener in listeners {
            listener.file?.remove()
            try? await listener.channel.close()
        }
        loops.stop()
        let deadline = ContinuousClock.now + .seconds(GatewayLimits.closingSeconds)
        while self.connections.count > 0, ContinuousClock.now < deadline {
            guard (try? await Task.sleep(for: .milliseconds(5))) != nil else { break }
        }
        try result.get()
    }

    /// An address that clients can connect to.
    private struct Listener {
        let channel: any Channel
        let file: UnixSocketFile?
    }

    private func listen(
        _ address: ListenAddress, on group: MultiThreadedEventLoopGroup, _ bootstrap: ServerBootstrap
    ) async throws -> Listener {
        do {
            let listener: Listener
            switch address {
            case .unix(let path):
                let file = try UnixSocketFile(path: path, access: self.addresses.socketAccess)
                try await file.clear(on: group.any())
                let channel = try await bootstrap.bind(unixDomainSocketPath: file.bindPath).get()
                do {
                    try file.publish()
                } catch {
                    try? await channel.close()
                    throw error
                }
                listener = Listener(channel: channel, file: file)
            case .tcp(let host, let port):
                listener = Listener(channel: try await bootstrap.bind(host: host, port: port).get(), file: nil)
            // Not reached: the settings refuse it.
            case .off: throw ListenError.cannotListen(address, reason: "it is off")
            }
            var actual = address
            if case .tcp(let host, _) = address, let port = listener.channel.localAddress?.port {
                actual = .tcp(host: host, port: port)
            }
            self.logger.notice("gateway listens", metadata: ["door": "\(self.door)", "address": "\(actual)"])
            self.onListening(actual)
            return listener
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
