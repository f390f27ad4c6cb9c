package import StageKit

/// The settings that decide who reaches a listener, and the rules between them.
package struct ListenRules: Sendable {
    /// The addresses to listen on.
    package var listen: [ListenAddress]
    /// The permissions of the Unix sockets, or `nil` for the default.
    package var mode: UInt32?
    /// The group of the Unix sockets, or `nil` for the worker's own.
    package var group: LocatedName?
    /// TLS settings, or `nil` if connections are not encrypted.
    package var tls: ServerTLS?
    /// Whether clients must show a secret, or the setting with the secret has been refused.
    package var hasSecret: Bool
    /// The settings that give clients a secret, for messages.
    package var secret: String

    /// Creates rules for the settings of a listener.
    package init(
        listen: [ListenAddress], mode: UInt32?, group: LocatedName?, tls: ServerTLS?, hasSecret: Bool,
        secret: String = "token_file (or token: ${NAME})"
    ) {
        self.listen = listen
        self.mode = mode
        self.group = group
        self.tls = tls
        self.hasSecret = hasSecret
        self.secret = secret
    }

    /// Reports settings that contradict each other, and addresses that anybody could use.
    ///
    /// - Parameters:
    ///   - node: The section with the settings `listen`, `mode`, `group` and `tls`.
    ///   - issues: Receives the problems.
    package func check(_ node: SettingNode, _ issues: inout SettingIssues) {
        let hasUnix = self.listen.contains { if case .unix = $0 { true } else { false } }
        let hasTCP = self.listen.contains { if case .tcp = $0 { true } else { false } }
        if !hasUnix, self.mode != nil || self.group != nil {
            let name = self.mode == nil ? "group" : "mode"
            issues.add(
                "\(name): only a Unix socket has one, and listen has none", at: node[name]?.position ?? node.position)
        }
        if !hasTCP, let tls = self.tls {
            issues.add("tls: only a TCP address can be encrypted", at: tls.certificateFile.position)
        }
        guard !self.hasSecret, self.tls?.clientCAFile == nil else { return }
        for address in self.listen where !address.isLocal {
            issues.add(
                "listen: other machines reach \(address): add \(self.secret), or tls with client_ca_file, or listen on"
                    + " 127.0.0.1", at: node["listen"]?.position ?? node.position)
        }
    }
}

extension AccessToken {
    /// Reports an unfit token, or a token that is given twice.
    ///
    /// - Parameters:
    ///   - token: The setting `token`, empty if it is not given.
    ///   - file: The setting `token_file`.
    ///   - node: The section with both settings.
    ///   - issues: Receives the problems.
    /// - Returns: Whether a token is given, fit or not.
    package static func check(
        _ token: String, file: LocatedName?, _ node: SettingNode, _ issues: inout SettingIssues
    ) -> Bool {
        guard let given = node["token"] else { return file != nil }
        if token.isEmpty {
            // An unset variable must not open the listener.
            issues.add("token: is empty: give a token, or remove the setting", at: given.position)
        } else if let problem = self.problem(token) {
            issues.add("token: \(problem)", at: given.position)
        }
        if let file { issues.add("token and token_file are both given: keep one of them", at: file.position) }
        return true
    }
}
