import HTTPBase
import StageKit

/// The addresses of a door, and what protects them.
struct DoorAddresses: Sendable {
    /// The addresses to listen on.
    var listen: [ListenAddress]
    /// The permissions of the Unix sockets, or `nil` for the default.
    var mode: UInt32?
    /// The group of the Unix sockets, or `nil` for the worker's own.
    var group: LocatedName?
    /// TLS settings, or `nil` if connections are not encrypted.
    var tls: ServerTLS?
    /// Whether clients need a secret.
    var hasSecret: Bool

    /// Who may connect to the Unix sockets.
    var socketAccess: SocketAccess { SocketAccess(mode: self.mode ?? 0o600, group: self.group?.text) }

    /// Adds the errors of the addresses.
    ///
    /// - Parameters:
    ///   - door: The door's name in the file.
    ///   - secret: The setting that gives an address a secret, for messages.
    ///   - node: The door's section.
    ///   - issues: Receives the errors.
    func check(door: String, secret: String, _ node: SettingNode, _ issues: inout SettingIssues) {
        let position = node["listen"]?.position ?? node.position
        if self.listen.count > GatewayLimits.addresses {
            issues.add("listen: at most \(GatewayLimits.addresses) addresses", at: position)
        }
        if self.listen.contains(.off) {
            issues.add("listen: off is no address: leave out gateway.\(door) instead", at: position)
        }
        for (index, address) in self.listen.enumerated() where self.listen[..<index].contains(address) {
            if case .tcp(_, 0) = address { continue }
            issues.add("listen: \(address) is there twice", at: position)
        }
        let rules = ListenRules(
            listen: self.listen, mode: self.mode, group: self.group, tls: self.tls, hasSecret: self.hasSecret,
            secret: secret)
        rules.check(node, &issues)
    }
}
