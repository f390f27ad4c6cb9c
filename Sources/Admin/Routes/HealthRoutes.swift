import Hummingbird
import StageKit

/// `/livez` and `/readyz`: 200, or 503 with the reasons, as JSON: `{"ready":false,"reasons":["..."]}`.
///
/// They answer probes that have no token, too, which get the status and no reasons.
struct HealthRoutes {
    /// Knows how the worker is.
    let context: AdminContext
    /// Knows who may see the reasons.
    let access: AdminAccess

    /// Adds the routes.
    func add(to router: AdminRouter) {
        router.get("livez", isUrgent: true) { request, _ in self.response("alive", self.context.liveness(), request) }
        router.get("readyz", isUrgent: true) { request, _ in self.response("ready", self.context.readiness(), request) }
    }

    private func response(_ name: String, _ reasons: [String], _ request: Request) -> Response {
        var bytes = Array("{\"\(name)\":\(reasons.isEmpty),\"reasons\":".utf8)
        JSONText.append(self.access.isAuthorized(request.head) ? reasons : [], to: &bytes)
        bytes += Array("}\n".utf8)
        return .json(bytes, status: reasons.isEmpty ? .ok : .serviceUnavailable)
    }
}
