import Hummingbird
import StageKit

/// `/livez` and `/readyz`: 200, or 503 with the reasons, as JSON: `{"ready":false,"reasons":["..."]}`.
struct HealthRoutes {
    /// Knows how the worker is.
    let context: AdminContext

    /// Adds the routes.
    func add(to router: AdminRouter) {
        router.get("livez") { _, _ in Self.response("alive", self.context.liveness()) }
        router.get("readyz") { _, _ in Self.response("ready", self.context.readiness()) }
    }

    private static func response(_ name: String, _ reasons: [String]) -> Response {
        var bytes = Array("{\"\(name)\":\(reasons.isEmpty),\"reasons\":".utf8)
        JSONText.append(reasons, to: &bytes)
        bytes += Array("}\n".utf8)
        return .json(bytes, status: reasons.isEmpty ? .ok : .serviceUnavailable)
    }
}
