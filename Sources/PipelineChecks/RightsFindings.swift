/// The findings about a user's permissions, command by command. Pure.
struct RightsFindings {
    /// The finding about a command.
    enum Finding {
        /// The user has the permission.
        case granted
        /// The user does not have the permission; the text is the server's message.
        case refused(String)
        /// Unknown unless the command is tried.
        case unknown
    }

    /// The name of the step.
    let name: String
    /// The authenticated user, or `nil` if unknown.
    let user: String?
    private var found: [(need: CommandNeed, finding: Finding)] = []

    /// Creates empty findings.
    init(name: String = "permissions", user: String?) {
        self.name = name
        self.user = user
    }

    /// Adds the finding about a command.
    mutating func add(_ need: CommandNeed, _ finding: Finding) {
        self.found.append((need, finding))
    }

    /// The step with the result: bad if a required command is refused.
    var step: CheckStep {
        let refused = self.found.compactMap { need, finding in
            if case .refused(let text) = finding { (need: need, text: text) } else { nil }
        }
        let fatal = refused.filter { $0.need.substitute == nil }
        let told = fatal.isEmpty ? refused : fatal
        guard told.isEmpty else {
            return CheckStep(
                self.name, fatal.isEmpty ? .warning : .bad, Self.text(of: told),
                advice: self.advice(told.map(\.need)))
        }
        let granted = self.names { if case .granted = $0 { true } else { false } }
        let unknown = self.names { if case .unknown = $0 { true } else { false } }
        if unknown.isEmpty { return CheckStep(self.name, .good, granted) }
        return CheckStep(
            self.name, .unknown,
            (granted.isEmpty ? "" : "\(granted); ") + "cannot be tested without effect: \(unknown)",
            advice: "ACL DRYRUN can test it, with Redis 7 and a user with that permission")
    }

    /// Returns the server's message for each command and the worker's behaviour without it; equal consecutive texts
    /// appear once.
    private static func text(of refused: [(need: CommandNeed, text: String)]) -> String {
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

    /// Returns the command that grants the permissions. It mentions keys and channels, because a command is also
    /// refused if the user may not access its key or channel.
    private func advice(_ needs: [CommandNeed]) -> String {
        var rights: [String] = []
        for need in needs where !rights.contains("+\(need.right)") { rights.append("+\(need.right)") }
        let words = ["ACL SETUSER", self.user ?? "name"] + rights
        return "\(words.joined(separator: " ")), with the keys and channels of this file"
    }

    private func names(_ isMeant: (Finding) -> Bool) -> String {
        self.found.filter { isMeant($0.finding) }.map(\.need.name).joined(separator: ", ")
    }
}
