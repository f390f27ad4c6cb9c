/// What was found out about the rights of a user, command by command. Pure.
struct RightsFindings {
    /// What was found out about a command.
    enum Finding {
        /// The user may use it.
        case granted
        /// The user may not, in these words.
        case refused(String)
        /// It cannot be told without using it.
        case unknown
    }

    /// Who is logged in; nil where that is not known.
    var user: String?
    private var found: [(need: CommandNeed, finding: Finding)] = []

    /// Knows nothing yet.
    init(user: String?) {
        self.user = user
    }

    /// Adds what was found out about a command.
    mutating func add(_ need: CommandNeed, _ finding: Finding) {
        self.found.append((need, finding))
    }

    /// The step that tells it: bad where the worker cannot do without a command that is refused.
    var step: CheckStep {
        let refused = self.found.compactMap { need, finding in
            if case .refused(let text) = finding { (need: need, text: text) } else { nil }
        }
        let fatal = refused.filter { $0.need.substitute == nil }
        let told = fatal.isEmpty ? refused : fatal
        guard told.isEmpty else {
            let texts = told.map { need, text in need.substitute.map { "\(text); without it \($0)" } ?? text }
            return CheckStep(
                "rights", fatal.isEmpty ? .warning : .bad, texts.joined(separator: "; "),
                advice: self.advice(told.map(\.need)))
        }
        let granted = self.names { if case .granted = $0 { true } else { false } }
        let unknown = self.names { if case .unknown = $0 { true } else { false } }
        if unknown.isEmpty { return CheckStep("rights", .good, granted) }
        return CheckStep(
            "rights", .unknown, "\(granted); not to be tried without effect: \(unknown)",
            advice: "ACL DRYRUN tells it, with Redis 7 and a user that may use it")
    }

    /// The command that gives the rights, which a key or channel that is not the user's takes away as well.
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
