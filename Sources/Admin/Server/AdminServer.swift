import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import NIOHTTPTypesHTTP1
import NIOPosix
public import ServiceLifecycle
import StageKit
import Synchronization

/// Serves health, metrics, look-ups and the dashboard over HTTP/1.1 until it is shut down.
///
/// Has a thread of its own for connections and requests, and starts others only for exports, so nothing that a client
/// does takes a thread from the stream; `LoopGovernor` sees to it that it takes no core from it either. A connection's
/// beginning alone passes through the threads that all tasks share, where no stream is read. Paths: `/`,
/// `/livez`, `/readyz`, `/metrics`, `/v1/pipeline`, `/v1/live`, `/v1/tap`, `/v1/revocations`, `/v1/stores/{store}`,
/// `/v1/stores/{store}/{key}` and `/v1/explain/{store}/{key}`; errors are JSON.
public struct AdminServer: Service, CustomStringConvertible {
    private let address: AdminAddress
    private let access: AdminAccess
    private let context: AdminContext
    private let logger: Logger
    private let onListening: @Sendable (AdminAddress) -> Void

    /// Makes a server that has not started; `onListening` is told the real address once clients can connect, on any
    /// thread, and not at all where the address is off. `access` is what `settings.readAccess()` gives.
    public init(
        settings: AdminSettings, access: AdminAccess = AdminAccess(), context: AdminContext, logger: Logger,
        onListening: @escaping @Sendable (AdminAddress) -> Void = { _ in }
    ) {
        self.address = settings.listen
        self.access = access
        self.context = context
        self.logger = logger
        self.onListening = onListening
    }

    /// What a log calls it: where it listens, and never who may use it.
    public var description: String { "AdminServer at \(self.address)" }

    /// Serves until shut down or cancelled; may be called once. Throws `AdminError` where it cannot listen.
    ///
    /// Either finishes requests in hand, breaks off exports and removes the Unix socket.
    public func run() async throws {
        if self.address == .off {
            // Cancelled before a shutdown: there is nothing to end.
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
            result = .failure(AdminError.explain(error, at: self.address))
        }
        try await open.exporter.shutDown()
        try await group.shutdownGracefully()
        try result.get()
    }

    /// Responses that last: a shutdown breaks them off.
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
        let file = try UnixSocketFile(path: path)
        defer { file.remove() }
        try await file.clear(on: loop)
        let failure = Mutex<(any Error)?>(nil)
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
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private func listen(
        _ router: AdminRouter, on group: MultiThreadedEventLoopGroup, _ open: OpenResponses, at address: BindAddress,
        bound: @escaping @Sendable (any Channel) -> Bool
    ) async throws {
        // The library reports what it breaks off at a shutdown as errors; what goes wrong for good is thrown.
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
        // Not reached: `run` returns before it.
        case .off: .hostname("127.0.0.1", port: 0)
        }
    }

    private func realAddress(of channel: any Channel) -> AdminAddress {
        guard case .tcp(let host, _) = self.address, let port = channel.localAddress?.port else { return self.address }
        return .tcp(host: host, port: port)
    }
}
