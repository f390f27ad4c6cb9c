public import CoreMetrics
public import HTTPBase
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
public import ServiceLifecycle
public import StageKit

/// The form of authorization requests; its name is that of the door in the file, in metrics and in logs.
public enum DoorForm: String, Sendable, CustomStringConvertible {
    /// HTTP/1.1 requests with the client's headers.
    case http
    /// Calls of Envoy's `Check` over HTTP/2, with the client's headers in a message.
    case grpc

    /// The name.
    public var description: String { self.rawValue }
}

/// What a door needs from the files that its settings name.
public struct GatewaySecrets: Sendable {
    /// The token that requests must carry, or `nil` for none.
    let token: [UInt8]?
    /// The server's certificate and the CA bundle for clients, or `nil` without encryption.
    let tls: TLSConfiguration?

    /// Reads the files.
    ///
    /// - Throws: The problem with a file, at its position.
    ///
    /// - Parameter form: The form of the requests.
    public init(_ settings: HTTPDoorSettings, _ form: DoorForm = .http) throws(SettingIssue) {
        if let file = settings.tokenFile {
            self.token = try AccessToken.read(file, setting: "gateway: \(form): token_file")
        } else {
            self.token = settings.token.isEmpty ? nil : Array(settings.token.utf8)
        }
        var tls = try settings.tls?.configuration(section: "gateway: \(form)")
        if form == .grpc { tls?.applicationProtocols = ["h2"] }
        self.tls = tls
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

/// The HTTP door or the gRPC door of the gateway: answers authorization requests until it is shut down.
///
/// It has threads and limits of its own, so that neither the admin side nor a stream that is far behind slows it down.
public struct GatewayServer: Service, CustomStringConvertible {
    private let settings: HTTPDoorSettings
    private let secrets: GatewaySecrets
    private let parts: Parts
    private let metrics: GatewayMetrics
    private let connections: DoorConnections
    private let logger: Logger
    private let onListening: @Sendable (ListenAddress) -> Void

    /// Creates a door that has not started.
    ///
    /// - Parameters:
    ///   - settings: The settings of the door.
    ///   - form: The form of the requests.
    ///   - secrets: The contents of the files that the settings name.
    ///   - store: The store that decides.
    ///   - metrics: Creates the door's counters.
    ///   - connectionLimit: The maximum number of connections.
    ///   - logger: The logger.
    ///   - onListening: Called on any thread with each actual address once clients can connect there.
    public init(
        _ settings: HTTPDoorSettings, _ form: DoorForm = .http, secrets: GatewaySecrets, store: any GatewayStore,
        metrics: any MetricsFactory, connectionLimit: Int = GatewayLimits.connections, logger: Logger,
        onListening: @escaping @Sendable (ListenAddress) -> Void = { _ in }
    ) {
        var settings = settings
        // Known from `secrets`; services are logged and dumped.
        settings.token = ""
        self.settings = settings
        self.secrets = secrets
        switch form {
        case .http: self.parts = .http(HTTPDoorParts(settings, token: secrets.token, store: store))
        case .grpc: self.parts = .grpc(GRPCDoorParts(settings, token: secrets.token, store: store))
        }
        self.metrics = GatewayMetrics(metrics, door: form.rawValue, refusals: GatewayMetrics.Refusal.http)
        self.connections = DoorConnections(limit: connectionLimit)
        self.logger = logger
        self.onListening = onListening
    }

    /// What the connections of a door share.
    private enum Parts {
        case http(HTTPDoorParts)
        case grpc(GRPCDoorParts)

        var form: DoorForm {
            switch self {
            case .http: .http
            case .grpc: .grpc
            }
        }
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
            addresses: self.settings.addresses, door: self.parts.form.rawValue, tls: self.secrets.tls,
            connections: self.connections, logger: self.logger, onListening: self.onListening)
        let metrics = self.metrics
        let makeHandlers = self.makeHandlers()
        try await listeners.serve(
            on: group, loops, onRefusal: { metrics.count(.connections) }, makeHandlers: makeHandlers)
    }

    /// Returns what adds the handlers of a connection, on its event loop.
    private func makeHandlers() -> @Sendable (any Channel, DoorLoop) throws -> Void {
        let (connections, metrics) = (self.connections, self.metrics)
        switch self.parts {
        case .http(let parts):
            return { channel, loop in
                let door = HTTPDoorHandler(parts, loop, connections, metrics)
                try Self.addHandlers(door, to: channel.pipeline.syncOperations)
            }
        case .grpc(let parts):
            return { channel, loop in
                try GRPCConnectionHandler(parts, loop, connections, metrics).add(to: channel)
            }
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
