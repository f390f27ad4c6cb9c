import Hummingbird

/// All paths of the admin server; each group of routes adds its own.
struct AdminRouter {
    /// The request context.
    typealias Context = BasicRequestContext
    /// Answers a request.
    typealias Handler = @Sendable (Request, Context) async throws -> Response

    private let router = Router(context: Context.self, options: .autoGenerateHeadEndpoints)
    private let line: TurnLine

    /// Creates the routes; `exporter` and `streams` run long responses, and requests that are not urgent wait in
    /// `line`.
    init(
        context: AdminContext, access: AdminAccess, exporter: SnapshotExporter, streams: EventStreams, line: TurnLine
    ) {
        self.line = line
        self.router.add(middleware: ErrorResponses())
        self.router.add(middleware: AccessCheck(access: access))
        DashboardRoute().add(to: self)
        LiveRoute(context: context, streams: streams).add(to: self)
        TapRoute(taps: context.taps, streams: streams).add(to: self)
        RevocationRoute(context: context, log: context.revocations, streams: streams, exporter: exporter)
            .add(to: self)
        HealthRoutes(context: context, access: access).add(to: self)
        MetricsRoute(metrics: context.metrics).add(to: self)
        PipelineRoute(context: context).add(to: self)
        StoreRoutes(context: context, exporter: exporter).add(to: self)
    }

    /// The responder for requests.
    var responder: RouterResponder<Context> { self.router.buildResponder() }

    /// Serves a path to GET and HEAD; other methods are answered with 405.
    ///
    /// - Parameters:
    ///   - path: The path.
    ///   - isUrgent: Whether gateways or probes depend on it, so that it never waits for its turn while the stream is
    ///     short of a processor.
    ///   - handler: Answers a request.
    func get(_ path: RouterPath, isUrgent: Bool = false, _ handler: @escaping Handler) {
        let line = self.line
        self.router.on(path, method: .get) { request, context in
            if !isUrgent { try await line.waitForTurn() }
            return try await handler(request, context)
        }
        for method in [HTTPRequest.Method.post, .put, .delete, .patch, .options, .trace, .connect] {
            self.router.on(path, method: method) { _, _ -> Response in
                throw AdminFailure.methodNotAllowed(allowed: "GET, HEAD")
            }
        }
    }
}
