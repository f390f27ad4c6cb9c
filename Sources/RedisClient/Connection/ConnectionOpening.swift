import Logging
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Opens a channel to a server and prepares it for commands.
struct ConnectionOpening {
    /// TCP keep-alive: first probe after 30 s of silence, then every 10 s, dead after 6 unanswered probes. A broken
    /// link is detected within 90 s even if no read is in progress.
    static let keepAlive = (idle: 30, interval: 10, count: 6)
    /// The maximum number of bytes of one read from the socket.
    static let receiveBytes = 64 << 10
    /// The maximum number of socket reads per turn of the event loop, so that a large reply needs only a few turns.
    static let readsATurn: UInt = 16

    private let settings: RedisSettings
    private let loop: RedisEventLoop
    private let stop: StopSignal
    private let logger: Logger

    init(_ settings: RedisSettings, _ loop: RedisEventLoop, _ stop: StopSignal, _ logger: Logger) {
        self.settings = settings
        self.loop = loop
        self.stop = stop
        self.logger = logger
    }

    /// Connects and waits until commands can be sent.
    ///
    /// The name lookup, the TCP connection and the TLS handshake share one `connectTimeout`.
    func open() async throws(RedisError) -> RedisConnection {
        let deadline = NIODeadline.now() + TimeAmount(self.settings.connectTimeout)
        let (channel, handler) = try await self.connect()
        let ready = handler.ready
        // If the handshake never completes, the server most likely does not speak TLS.
        let late = RedisError(self.settings.tls == nil ? .timedOut : .tls, self.lateMessage, isTransient: true)
        let timer = self.loop.eventLoop.scheduleTask(deadline: deadline) {
            if ready.set(late) { channel.close(promise: nil) }
        }
        let failure = await ready.value()
        timer.cancel()
        if let failure {
            channel.close(promise: nil)
            throw failure
        }
        self.logger.trace("connected", metadata: ["address": "\(self.settings.address)"])
        return RedisConnection(
            loop: self.loop, channel: channel, handler: handler.bound, timeout: self.settings.timeout,
            address: self.settings.address)
    }

    /// The message for a handshake that did not complete in time.
    private var lateMessage: String {
        let hint = self.settings.tls == nil ? "" : "; does this port use TLS (redis.tls)?"
        return "\(self.settings.address): no connection within redis.connect_timeout\(hint)"
    }

    private typealias Opened = (channel: any Channel, handler: BoundHandler)

    /// A handler that may be used only on its event loop, and its readiness signal, which any task can await.
    private struct BoundHandler: Sendable {
        let bound: NIOLoopBound<CommandHandler>
        let ready: OneShot<RedisError?>
    }

    /// Opens the channel. If stopped, returns immediately and closes a channel that opens later.
    private func connect() async throws(RedisError) -> Opened {
        let settings = self.settings
        let loop = self.loop
        let outcome = OneShot<Result<Opened, RedisError>>()
        // Read the TLS files here too: an error thrown in the channel initializer would lose its type.
        if let tls = settings.tls { _ = try TLSContext.makeHandler(tls, address: settings.address) }
        let token = self.stop.onStop { outcome.set(.failure(.closedHere)) }
        defer { self.stop.forget(token) }
        loop.attemptBegan()
        self.begin().whenComplete { result in
            loop.attemptEnded()
            switch result {
            case .success(let opened):
                if !outcome.set(.success(opened)) { opened.channel.close(promise: nil) }
            case .failure(let error):
                outcome.set(.failure(.opening(error, address: settings.address)))
            }
        }
        let opened = try await outcome.value().get()
        let closing = self.stop.onStop { opened.channel.close(promise: nil) }
        let stop = self.stop
        opened.channel.closeFuture.whenComplete { _ in stop.forget(closing) }
        return opened
    }

    private func begin() -> EventLoopFuture<Opened> {
        let (settings, executor) = (self.settings, self.loop.executor)
        var bootstrap = ClientBootstrap(group: self.loop.eventLoop)
            .connectTimeout(TimeAmount(settings.connectTimeout))
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.receiveBytes))
            .channelOption(.maxMessagesPerRead, value: Self.readsATurn)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = settings.tls {
                        let handler = try TLSContext.makeHandler(tls, address: settings.address)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try channel.pipeline.syncOperations.addHandler(CommandHandler(settings, executor))
                }
            }
        let connected: EventLoopFuture<any Channel>
        switch settings.address {
        case .unix(let path): connected = bootstrap.connect(unixDomainSocketPath: path)
        case .tcp(let host, let port):
            bootstrap = Self.withTCPOptions(bootstrap)
            connected = bootstrap.connect(host: host, port: port)
        }
        return connected.flatMapThrowing { channel in
            let handler = try channel.pipeline.syncOperations.handler(type: CommandHandler.self)
            let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
            return (channel, BoundHandler(bound: bound, ready: handler.ready))
        }
    }

    private static func withTCPOptions(_ bootstrap: ClientBootstrap) -> ClientBootstrap {
        let bootstrap =
            bootstrap
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        #if os(Linux)
            return
                bootstrap
                .channelOption(
                    .socket(SocketOptionLevel(IPPROTO_TCP), TCP_KEEPIDLE), value: SocketOptionValue(Self.keepAlive.idle)
                )
                .channelOption(
                    .socket(SocketOptionLevel(IPPROTO_TCP), TCP_KEEPINTVL),
                    value: SocketOptionValue(Self.keepAlive.interval)
                )
                .channelOption(
                    .socket(SocketOptionLevel(IPPROTO_TCP), TCP_KEEPCNT), value: SocketOptionValue(Self.keepAlive.count)
                )
        #else
            return bootstrap
        #endif
    }
}
