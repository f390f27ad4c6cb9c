import Hummingbird

/// `/v1/pipeline`: the stage graph with the counters of its parts, as JSON.
struct PipelineRoute {
    /// The source of the document.
    let context: AdminContext

    /// Adds the route.
    func add(to router: AdminRouter) {
        router.get("v1/pipeline") { _, _ in .json(Array((self.context.pipeline() + "\n").utf8)) }
    }
}
