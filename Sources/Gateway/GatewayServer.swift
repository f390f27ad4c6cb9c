public import CoreMetrics
public import HTTPBase
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
public import ServiceLifecycle
public import StageKit

/// What a door needs from the files that its settings name.
public struct GatewaySecrets: Sendable {
    /// The token that requests must carry, or `nil` for none.
    let token: [UInt8]?
    /// The server's certificate and the CA bundle for clients, or `nil` without encryption.
    let tls: TLSConfiguration?

    /// Reads the files.
    ///
    /// - Throws: The problem with a file, at its position.
    public init(_ settings: HTTPDoorSettings) throws(SettingIssue) {
        if let file = settings.tokenFile {
            self.token = try AccessToken.read(file, setting: "gateway: http: token_file")
        } else {
            self.token = settings.token.isEmpty ? nil : Array(settings.token.utf8)
        }
        self.tls = try settings.tls?.configuration(section: "gateway: http")
    }
}

extension GatewaySecrets: CustomStringConvertible, CustomReflectable {
    /// What requests need, without the token itself.
    public var description: String {
        let needs = [self.token == nil ? nil : "token", self.tls == nil ? nil : "TLS"].compactMap(\.self)
        return needs.isEmpty ? "open" : needs.joined(separator: " and ")
    }

    /// Empty: loggers print a service's properties, and the token must not be logged.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The HTTP door of the gateway: answers authorization requests until it is shut down.
///
/// It has threads and limits of its own, so that neither the admin side nor a stream that is far behind slows it down.
public struct GatewayServer: Service, CustomStringConvertible {
    private let settings: HTTPDoorSettings
    private let secrets: GatewaySecrets
    private let parts: HTTPDoorParts
    private let metrics: GatewayMetrics
    private let connections: DoorConnections
    private let logger: Logger
    private let onListening: @Sendable (ListenAddress) -> Void

    /// Creates a door that has not started.
    ///
    /// - Parameters:
    ///   - settings: The settings of the door.
    ///   - secrets: The contents of the files that the settings name.
    ///   - store: The store that decides.
    ///   - metrics: Creates the door's counters.
    ///   - connectionLimit: The maximum number of connections.
    ///   - logger: The logger.
    ///   - onListening: Called on any thread with each actual address once clients can connect there.
    public init(
        _ settings: HTTPDoorSettings, secrets: GatewaySecrets, store: any GatewayStore, metrics: any MetricsFactory,
        connectionLimit: Int = GatewayLimits.connections, logger: Logger,
        onListening: @escaping @Sendable (ListenAddress) -> Void = { _ in }
    ) {
        var settings = settings
        // Known from `secrets`; services are logged and dumped.
        settings.token = ""
        self.settings = settings
        self.secrets = secrets
        self.parts = HTTPDoorParts(settings, token: secrets.token, store: store)
        self.metrics = GatewayMetrics(metrics, door: "http")
        self.connections = DoorConnections(limit: connectionLimit)
        self.logger = logger
        self.onListening = onListening
    }

    /// The door's name in logs: its addresses, and nothing secret.
    public var description: String { "GatewayServer at \(self.settings.listen)" }

    /// Serves until shut down or cancelled; may be called once. Requests in flight are answered first, and Unix sockets
    /// are removed.
    ///
    /// - Throws: `ServerFailure` if the door cannot listen.
    public func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: self.settings.threads)
        let result: Result<Void, any Error>
        do {
            try await self.serve(on: group)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await group.shutdownGracefully()
        try result.get()
    }

    private typealias Loops = [ObjectIdentifier: (loop: any EventLoop, state: NIOLoopBound<DoorLoop>)]

    private func serve(on group: MultiThreadedEventLoopGroup) async throws {
        var loops: Loops = [:]
        for loop in group.makeIterator() {
            let state = try await loop.submit {
                let state = NIOLoopBound(DoorLoop(), eventLoop: loop)
                loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in state.value.sweep() }
                return state
            }.get()
            loops[ObjectIdentifier(loop)] = (loop, state)
        }
        let tls = try self.secrets.tls.map { try NIOSSLContext(configuration: $0) }
        var listeners: [Listener] = []
        let result: Result<Void, any Error>
        do {
            for address in self.settings.listen {
                listeners.append(try await self.listen(address, on: group, loops, tls))
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
        for (loop, state) in loops.values { loop.execute { state.value.stop() } }
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
        _ address: ListenAddress, on group: MultiThreadedEventLoopGroup, _ loops: Loops, _ tls: NIOSSLContext?
    ) async throws -> Listener {
        do {
            let listener: Listener
            switch address {
            case .unix(let path):
                let file = try UnixSocketFile(path: path, access: self.settings.socketAccess)
                try await file.clear(on: group.any())
                let channel = try await self.bootstrap(group, loops, nil).bind(unixDomainSocketPath: file.bindPath)
                    .get()
                do {
                    try file.publish()
                } catch {
                    try? await channel.close()
                    throw error
                }
                listener = Listener(channel: channel, file: file)
            case .tcp(let host, let port):
                let channel = try await self.bootstrap(group, loops, tls).bind(host: host, port: port).get()
                listener = Listener(channel: channel, file: nil)
            // Not reached: the settings refuse it.
            case .off: throw ListenError.cannotListen(address, reason: "it is off")
            }
            var actual = address
            if case .tcp(let host, _) = address, let port = listener.channel.localAddress?.port {
                actual = .tcp(host: host, port: port)
            }
            self.logger.notice("gateway listens", metadata: ["door": "http", "address": "\(actual)"])
            self.onListening(actual)
            return listener
        } catch {
            let error = ListenError.explain(error, at: address)
            throw (error as? ListenError).map { ServerFailure("gateway.http.listen", $0) } ?? error
        }
    }

    private func bootstrap(
        _ group: MultiThreadedEventLoopGroup, _ loops: Loops, _ tls: NIOSSLContext?
    ) -> ServerBootstrap {
        let (parts, connections, metrics) = (self.parts, self.connections, self.metrics)
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(GatewayLimits.backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // A request and its successors are in one read; another one would only find that there is nothing more.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                guard connections.enter() else {
                    metrics.count(.connections)
                    return channel.close()
                }
                guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else { return channel.close() }
                let handler = HTTPDoorHandler(parts, loop.state.value, connections, metrics)
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.addHandler(ByteToMessageHandler(Self.decoder()))
                    try pipeline.addHandler(handler)
                }
            }
    }

    /// The codec with the limits of the door.
    static func decoder() -> HTTPRequestDecoder {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = GatewayLimits.headerFieldBytes
        limits.maxHeaderListSize = GatewayLimits.headerListBytes
        limits.maxHeaderFieldCount = GatewayLimits.headerCount
        return HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
    }
}
