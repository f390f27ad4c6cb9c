import Hummingbird

/// `/v1/pipeline`: the stage graph and what each part of it has done so far, as JSON.
struct PipelineRoute {
    /// Knows the pipeline.
    let context: AdminContext

    /// Adds the route.
    func add(to router: AdminRouter) {
        router.get("v1/pipeline") { _, _ in .json(Array((self.context.pipeline() + "\n").utf8)) }
    }
}
