import Hummingbird

/// `/metrics`: all metrics in the Prometheus text format.
struct MetricsRoute {
    /// The registry.
    let metrics: MetricsRegistry

    /// Adds the route.
    func add(to router: AdminRouter) {
        router.get("metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: MetricText.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: self.metrics.exposition())))
        }
    }
}
