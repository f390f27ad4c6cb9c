import Hummingbird

/// All paths of the admin server; each group of routes adds its own.
struct AdminRouter {
    /// What is known of a request on its way.
    typealias Context = BasicRequestContext
    /// Answers a request.
    typealias Handler = @Sendable (Request, Context) async throws -> Response

    private let router = Router(context: Context.self, options: .autoGenerateHeadEndpoints)

    /// Makes the routes; `exporter` and `streams` run what takes longer than a request should.
    init(context: AdminContext, access: AdminAccess, exporter: SnapshotExporter, streams: EventStreams) {
        self.router.add(middleware: ErrorResponses())
        self.router.add(middleware: AccessCheck(access: access))
        DashboardRoute().add(to: self)
        LiveRoute(context: context, streams: streams).add(to: self)
        TapRoute(taps: context.taps, streams: streams).add(to: self)
        RevocationRoute(context: context, log: context.revocations, streams: streams).add(to: self)
        HealthRoutes(context: context, access: access).add(to: self)
        MetricsRoute(metrics: context.metrics).add(to: self)
        PipelineRoute(context: context).add(to: self)
        StoreRoutes(context: context, exporter: exporter).add(to: self)
    }

    /// What answers requests.
    var responder: RouterResponder<Context> { self.router.buildResponder() }

    /// Serves a path to GET and HEAD, and tells other methods that they are not known there.
    func get(_ path: RouterPath, _ handler: @escaping Handler) {
        self.router.on(path, method: .get, use: handler)
        for method in [HTTPRequest.Method.post, .put, .delete, .patch, .options, .trace, .connect] {
            self.router.on(path, method: method) { _, _ -> Response in
                throw AdminFailure.methodNotAllowed(allowed: "GET, HEAD")
            }
        }
    }
}
