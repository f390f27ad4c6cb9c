import Admin
import ComponentKit
import HTTPBase
import StageKit

/// Checks the HTTP interface: who can reach it, and whether its files are usable. Opens no socket.
enum AdminCheck {
    /// Returns the step with the result.
    static func step(_ settings: AdminSettings) -> CheckStep {
        let name = "http"
        if settings.listen == .off { return CheckStep(name, .good, "off") }
        do throws(SettingIssue) {
            _ = try settings.readAccess()
        } catch {
            return CheckStep(name, .bad, error.message)
        }
        let hasToken = !settings.token.isEmpty || settings.tokenFile != nil
        var finding = "\(settings.listen), "
        finding += settings.listen.isLocal ? "from this machine only" : "from other machines"
        if hasToken { finding += ", with a token" }
        if let tls = settings.tls {
            finding += tls.clientCAFile == nil ? ", encrypted" : ", encrypted, with client certificates"
        }
        guard hasToken, !settings.listen.isLocal, settings.tls == nil else { return CheckStep(name, .good, finding) }
        return CheckStep(
            name, .warning, finding + ", not encrypted: anyone who can read the traffic can use the token",
            advice: "add admin.tls, or listen on 127.0.0.1 behind a proxy that encrypts")
    }
}
