public import HTTPBase
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import NIOHTTPTypesHTTP1
import NIOPosix
public import ServiceLifecycle
import StageKit
import Synchronization

/// Serves health, metrics, lookups and the dashboard over HTTP/1.1 until it is shut down.
///
/// It uses one thread of its own for connections and requests, and starts others only for exports, so that clients
/// never block a thread of the stream; `LoopGovernor` prevents the server from using the stream's processor time. Only
/// the setup of a connection runs on the threads that all tasks share, where no stream is read. Paths: `/`, `/livez`,
/// `/readyz`, `/metrics`, `/v1/pipeline`, `/v1/live`, `/v1/tap`, `/v1/revocations`, `/v1/export/{store}`,
/// `/v1/stores/{store}/{key}` and `/v1/explain/{store}/{key}`; errors are JSON.
public struct AdminServer: Service, CustomStringConvertible {
    private let address: ListenAddress
    private let access: AdminAccess
    private let socketAccess: SocketAccess
    private let context: AdminContext
    private let logger: Logger
    private let onListening: @Sendable (ListenAddress) -> Void

    /// Creates a server that has not started. `onListening` is called on any thread with the actual address once
    /// clients can connect, or with `off`, for which there is nothing to wait. `access` is the result of
    /// `settings.readAccess()`.
    public init(
        settings: AdminSettings, access: AdminAccess = AdminAccess(), context: AdminContext, logger: Logger,
        onListening: @escaping @Sendable (ListenAddress) -> Void = { _ in }
    ) {
        self.address = settings.listen
        self.access = access
        self.socketAccess = settings.socketAccess
        self.context = context
        self.logger = logger
        self.onListening = onListening
    }

    /// The server's name in logs: its address, and nothing secret.
    public var description: String { "AdminServer at \(self.address)" }

    /// Serves until shut down or cancelled; may be called once. A shutdown or cancellation finishes requests in flight,
    /// aborts exports and removes the Unix socket.
    ///
    /// - Throws: `ServerFailure` if the server cannot listen.
    public func run() async throws {
        if self.address == .off {
            self.onListening(self.address)
            // Cancelled before the start: nothing to shut down.
            try? await gracefulShutdown()
            return
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let line = TurnLine()
        let open = OpenResponses(
            exporter: SnapshotExporter(line: line), streams: EventStreams(line: line), line: line)
        let result: Result<Void, any Error>
        do {
            try await self.serve(on: group, open)
            result = .success(())
        } catch {
            let error = ListenError.explain(error, at: self.address)
            result = .failure((error as? ListenError).map { ServerFailure("admin.listen", $0) } ?? error)
        }
        try await open.exporter.shutDown()
        try await group.shutdownGracefully()
        try result.get()
    }

    /// The long-running responses, which a shutdown aborts.
    private struct OpenResponses {
        let exporter: SnapshotExporter
        let streams: EventStreams
        let line: TurnLine

        func stop() {
            self.exporter.stop()
            self.streams.stop()
        }
    }

    private func serve(on group: MultiThreadedEventLoopGroup, _ open: OpenResponses) async throws {
        let router = AdminRouter(
            context: self.context, access: self.access, exporter: open.exporter, streams: open.streams, line: open.line)
        let context = self.context
        let loop = group.any()
        let beat = loop.scheduleRepeatedTask(initialDelay: AdminLimits.beat, delay: AdminLimits.beat) { _ in
            context.beat()
            open.streams.beat()
        }
        defer { beat.cancel() }
        let governor = try await loop.submit {
            LoopGovernor(loop, line: open.line, lateThread: context.lateThread)
        }.get()
        governor.start()
        defer { governor.stop() }
        guard case .unix(let path) = self.address else {
            return try await self.listen(router, on: group, open, at: self.bindAddress) { _ in true }
        }
        let file = try UnixSocketFile(path: path, access: self.socketAccess)
        defer { file.remove() }
        try await file.clear(on: loop)
        let failure = Mutex<(any Error)?>(nil)
        let result: Result<Void, any Error>
        do {
            try await self.listen(router, on: group, open, at: .unixDomainSocket(path: file.bindPath)) { channel in
                do {
                    try file.publish()
                    return true
                } catch {
                    failure.withLock { $0 = error }
                    channel.close(promise: nil)
                    return false
                }
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        // The server only reports that its channel was closed.
        if let error = failure.withLock({ $0 }) { throw error }
        try result.get()
    }

    private func listen(
        _ router: AdminRouter, on group: MultiThreadedEventLoopGroup, _ open: OpenResponses, at address: BindAddress,
        bound: @escaping @Sendable (any Channel) -> Bool
    ) async throws {
        // The library logs responses aborted by a shutdown as errors; real failures are thrown.
        var logger = self.logger
        logger.logLevel = .critical
        let application = Application(
            responder: router.responder,
            server: try self.access.server(self.connections(on: group.any())),
            configuration: ApplicationConfiguration(address: address, backlog: AdminLimits.backlog),
            onServerRunning: { channel in
                if bound(channel) { self.onListening(self.realAddress(of: channel)) }
            },
            eventLoopGroupProvider: .shared(group),
            logger: logger)
        try await GracefulCancellation(application, logger: logger, onEnd: open.stop).run()
    }

    private func connections(on loop: any EventLoop) -> HTTPServerBuilder {
        let table = ConnectionTable(places: AdminLimits.connections, reserve: AdminLimits.connectionReserve)
        return HTTPServerBuilder { responder in
            let channel = HTTP1Channel(responder: responder, configuration: self.httpConfiguration(table))
            return LoopChannel(channel, on: loop) { channel in
                let codec = try channel.pipeline.syncOperations.handler(type: HTTP1ToHTTPServerCodec.self)
                try channel.pipeline.syncOperations.addHandler(RequestRules(), position: .before(codec))
            }
        }
    }

    private func httpConfiguration(_ table: ConnectionTable) -> HTTP1Channel.Configuration {
        let access = self.access
        return HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                ConnectionGuard(table, access),
                StalledWriteHandler(limit: AdminLimits.stallTime), SlowRequestHandler(limit: AdminLimits.idleTime),
            ],
            idleTimeout: AdminLimits.idleTime,
            httpDecoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration(
                maxHeaderFieldSize: AdminLimits.headerFieldBytes,
                maxHeaderListSize: AdminLimits.headerListBytes,
                maxHeaderFieldCount: AdminLimits.headerCount))
    }

    private var bindAddress: BindAddress {
        switch self.address {
        case .tcp(let host, let port): .hostname(host, port: port)
        case .unix(let path): .unixDomainSocket(path: path)
        // Not reached: `run` returns before this.
        case .off: .hostname("127.0.0.1", port: 0)
        }
    }

    private func realAddress(of channel: any Channel) -> ListenAddress {
        guard case .tcp(let host, _) = self.address, let port = channel.localAddress?.port else { return self.address }
        return .tcp(host: host, port: port)
    }
}
