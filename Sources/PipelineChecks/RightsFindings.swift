import ComponentKit

/// The findings about a user's permissions, command by command. Pure.
struct RightsFindings {
    /// The finding about a command.
    enum Finding {
        /// The user has the permission.
        case granted
        /// The user does not have the permission; the text is the server's message.
        case refused(String)
        /// The server does not have the command.
        case missing
        /// Unknown unless the command is tried.
        case unknown
    }

    /// The name of the step.
    let name: String
    /// The authenticated user, or `nil` if unknown.
    let user: String?
    /// The server's version, or `nil` if unknown.
    let version: ServerVersion?
    private var found: [(need: CommandNeed, finding: Finding)] = []

    /// Creates empty findings.
    init(name: String = "permissions", user: String?, version: ServerVersion? = nil) {
        self.name = name
        self.user = user
        self.version = version
    }

    /// Adds the finding about a command.
    mutating func add(_ need: CommandNeed, _ finding: Finding) {
        self.found.append((need, finding))
    }

    /// The step with the result: bad if a required command is refused.
    var step: CheckStep {
        let refused = self.found.compactMap { need, finding -> Refusal? in
            switch finding {
            case .refused(let text): Refusal(need: need, text: text)
            case .missing:
                Refusal(
                    need: need, text: self.reason(need).finding(need.name), remedy: self.reason(need).advice(need.name))
            case .granted, .unknown: nil
            }
        }
        let fatal = refused.filter { $0.need.substitute == nil }
        let told = fatal.isEmpty ? refused : fatal
        guard told.isEmpty else {
            return CheckStep(
                self.name, fatal.isEmpty ? .warning : .bad, Self.text(of: told), advice: self.advice(told))
        }
        let granted = self.names { if case .granted = $0 { true } else { false } }
        let unknown = self.names { if case .unknown = $0 { true } else { false } }
        if unknown.isEmpty { return CheckStep(self.name, .good, granted) }
        return CheckStep(
            self.name, .unknown,
            (granted.isEmpty ? "" : "\(granted); ") + "cannot be tested without effect: \(unknown)",
            advice: "ACL DRYRUN can test it, with Redis 7 and a user with that permission")
    }

    /// A command that the worker cannot use.
    private struct Refusal {
        /// The command.
        var need: CommandNeed
        /// The finding.
        var text: String
        /// The remedy, or `nil` if it is the permission.
        var remedy: String?
    }

    private func reason(_ need: CommandNeed) -> MissingCommand {
        MissingCommand(need.right, on: self.version)
    }

    /// Returns the server's message for each command and the worker's behaviour without it; equal consecutive texts
    /// appear once.
    private static func text(of refused: [Refusal]) -> String {
        var parts: [String] = []
        var alike = 0
        for (index, one) in refused.enumerated() {
            alike += 1
            parts.append(one.text)
            let next = refused.indices.contains(index + 1) ? refused[index + 1].need.substitute : nil
            guard let substitute = one.need.substitute, substitute != next else { continue }
            parts.append("without \(alike == 1 ? "it" : "them") \(substitute)")
            alike = 0
        }
        return parts.joined(separator: "; ")
    }

    /// Returns the remedies: the command that grants the missing permissions, those for commands that the server does
    /// not have, and changes to the file that make commands unnecessary.
    private func advice(_ refused: [Refusal]) -> String {
        var parts: [String] = []
        var rights: [String] = []
        for one in refused where one.remedy == nil && !rights.contains("+\(one.need.right)") {
            rights.append("+\(one.need.right)")
        }
        // A command is also refused if the user may not access its key or channel.
        if !rights.isEmpty {
            let words = ["ACL SETUSER", self.user ?? "name"] + rights
            parts.append("\(words.joined(separator: " ")), with the keys and channels of this file")
        }
        let alternatives = refused.compactMap { $0.need.substitute == nil ? $0.need.alternative : nil }
        for remedy in refused.compactMap(\.remedy) + alternatives where !parts.contains(remedy) { parts.append(remedy) }
        return parts.joined(separator: "; ")
    }

    private func names(_ isMeant: (Finding) -> Bool) -> String {
        self.found.filter { isMeant($0.finding) }.map(\.need.name).joined(separator: ", ")
    }
}
