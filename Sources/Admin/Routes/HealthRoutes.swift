import Hummingbird
import StageKit

/// `/livez` and `/readyz`: 200, or 503 with the reasons, as JSON: `{"ready":false,"reasons":["..."]}`.
///
/// Probes without a token are answered too, with the status but without the reasons.
struct HealthRoutes {
    /// Reports whether the worker is alive and ready.
    let context: AdminContext
    /// Decides whether a client may see the reasons.
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
