import Admin
import Gateway
import HTTPBase
import PipelineEngine
import StageKit

/// Compares the addresses of the gateway's doors with that of the HTTP interface; the section `gateway` compares the
/// doors with each other.
enum AddressCheck {
    /// Adds an error for each address of a door that the section `admin` has too.
    static func check(_ file: FileOutline, _ issues: inout SettingIssues) {
        guard let admin = file.section("admin", AdminSettings.type)?.listen,
            let node = file.sections["gateway"], let gateway = FileOutline.decode(node, GatewaySettings.type)
        else { return }
        // The system chooses a free port.
        if case .tcp(_, 0) = admin { return }
        let doors = [
            ("http", gateway.http?.listen), ("grpc", gateway.grpc?.listen), ("redis", gateway.redis?.listen),
        ]
        for (door, listen) in doors where listen?.contains(admin) == true {
            issues.add(
                "gateway: \(door): listen: \(admin) is the address of admin already",
                at: node[door]?["listen"]?.position ?? node.position)
        }
    }
}
