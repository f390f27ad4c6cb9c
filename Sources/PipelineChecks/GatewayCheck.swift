import ComponentKit
import Gateway
import HTTPBase
import StageKit

/// Checks the gateway's doors: who can reach them, and whether their files are usable. Opens no socket.
enum GatewayCheck {
    /// Returns a step with the result for each door that the file declares.
    static func steps(_ settings: GatewaySettings?) -> [CheckStep] {
        [self.http(settings?.http, .http), self.http(settings?.grpc, .grpc), self.redis(settings?.redis)]
            .compactMap(\.self)
    }

    private static func http(_ door: HTTPDoorSettings?, _ form: DoorForm) -> CheckStep? {
        guard let door else { return nil }
        do throws(SettingIssue) {
            _ = try GatewaySecrets(door, form)
        } catch {
            return CheckStep("gateway", .bad, error.message)
        }
        let hasToken = !door.token.isEmpty || door.tokenFile != nil
        return self.step(form.rawValue, door.listen, door.tls, secret: hasToken ? "token" : nil)
    }

    private static func redis(_ door: RedisDoorSettings?) -> CheckStep? {
        guard let door else { return nil }
        do throws(SettingIssue) {
            _ = try RedisDoorSecrets(door)
        } catch {
            return CheckStep("gateway", .bad, error.message)
        }
        return self.step("redis", door.listen, door.tls, secret: door.passwordFile == nil ? nil : "password")
    }

    /// The step of a door whose files are usable.
    private static func step(
        _ door: String, _ listen: [ListenAddress], _ tls: ServerTLS?, secret: String?
    ) -> CheckStep {
        let isLocal = listen.allSatisfy(\.isLocal)
        var finding = listen.map(\.description).joined(separator: ", ")
        if door != "http" { finding = "\(door): \(finding)" }
        finding += isLocal ? ", for this machine" : ", for others too"
        if let secret { finding += ", with a \(secret)" }
        if let tls { finding += tls.clientCAFile == nil ? ", encrypted" : ", encrypted, with certificates of clients" }
        guard !isLocal, tls == nil else { return CheckStep("gateway", .good, finding) }
        return CheckStep(
            "gateway", .warning,
            finding + ", which is not encrypted: others on the network can read keys and the \(secret ?? "secret")",
            advice: "add gateway.\(door).tls, or listen on 127.0.0.1")
    }
}
