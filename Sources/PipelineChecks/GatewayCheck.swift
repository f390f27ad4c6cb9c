import Gateway
import HTTPBase
import StageKit

/// Checks the gateway's HTTP door: who can reach it, and whether its files are usable. Opens no socket.
enum GatewayCheck {
    /// Returns the step with the result, or `nil` if the file declares no door.
    static func step(_ settings: GatewaySettings?) -> CheckStep? {
        guard let http = settings?.http else { return nil }
        let name = "gateway"
        do throws(SettingIssue) {
            _ = try GatewaySecrets(http)
        } catch {
            return CheckStep(name, .bad, error.message)
        }
        let isLocal = http.listen.allSatisfy(\.isLocal)
        let hasToken = !http.token.isEmpty || http.tokenFile != nil
        var finding = http.listen.map(\.description).joined(separator: ", ")
        finding += isLocal ? ", for this machine" : ", for others too"
        if hasToken { finding += ", with a token" }
        if let tls = http.tls {
            finding += tls.clientCAFile == nil ? ", encrypted" : ", encrypted, with certificates of clients"
        }
        guard !isLocal, http.tls == nil else { return CheckStep(name, .good, finding) }
        return CheckStep(
            name, .warning, finding + ", which is not encrypted: others on the network can read keys and the token",
            advice: "add gateway.http.tls, or listen on 127.0.0.1")
    }
}
