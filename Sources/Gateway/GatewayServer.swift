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
        self.metrics = GatewayMetrics(metrics, door: "http", refusals: GatewayMetrics.Refusal.http)
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
        try await MultiThreadedEventLoopGroup.withEventLoopGroup(numberOfThreads: self.settings.threads) { group in
            try await self.serve(on: group)
        }
    }

    private func serve(on group: MultiThreadedEventLoopGroup) async throws {
        let loops = try await DoorLoops(
            on: group, make: { _, _ in DoorLoop() }, onSecond: { $0.sweep() }, onStop: { $0.stop() })
        let listeners = DoorListeners(
            addresses: self.settings.addresses, door: "http", tls: self.secrets.tls, connections: self.connections,
            logger: self.logger, onListening: self.onListening)
        let (parts, connections, metrics) = (self.parts, self.connections, self.metrics)
        try await listeners.serve(on: group, loops, onRefusal: { metrics.count(.connections) }) { channel, loop in
            let door = HTTPDoorHandler(parts, loop, connections, metrics)
            try Self.addHandlers(door, to: channel.pipeline.syncOperations)
        }
    }

    /// Adds the handlers of an HTTP connection: the reader of plain requests, the codec for all others, and the door.
    static func addHandlers(
        _ door: HTTPDoorHandler, to pipeline: ChannelPipeline.SynchronousOperations, readsPlain: Bool = true
    ) throws {
        if readsPlain { try pipeline.addHandler(PlainRequestHandler(door)) }
        try pipeline.addHandler(ByteToMessageHandler(Self.decoder()))
        try pipeline.addHandler(door)
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
