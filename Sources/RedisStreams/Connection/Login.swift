import RESP

/// What is sent first on a connection, and what the answers mean. Pure.
struct Login: Sendable {
    /// A step: its command, the name it goes by in messages, and whether a refusal for want of rights is fine.
    struct Step: Sendable {
        /// What is sent.
        let command: RESPCommand
        /// The command's name.
        let name: String
        /// What the answer is, where all is well.
        let answer: String
    }

    /// The password, hidden in messages.
    let password: Secret?
    /// The steps, in order: all are sent at once.
    let steps: [Step]

    /// AUTH where there is a password, SELECT where the database is not 0, and PING, which shows that there is a server.
    init(_ settings: RedisSettings, password: Secret?) {
        self.password = password
        var steps: [Step] = []
        if let password {
            let command =
                settings.username.map { RESPCommand("AUTH", $0, password.text) }
                ?? RESPCommand("AUTH", password.text)
            steps.append(Step(command: command, name: "AUTH", answer: "OK"))
        }
        if settings.database != 0 {
            steps.append(Step(command: RESPCommand("SELECT", settings.database), name: "SELECT", answer: "OK"))
        }
        steps.append(Step(command: RESPCommand("PING"), name: "PING", answer: "PONG"))
        self.steps = steps
    }

    /// Why the answer to a step ends the connection; nil where it does not.
    func failure(of step: Step, _ answer: RESPValue) -> RedisError? {
        if case .error(let text) = answer {
            // A user without the right to PING has been answered all the same, which is all that was asked.
            if step.name == "PING", text.hasPrefix("NOPERM") { return nil }
            return .answer(text, to: step.name, hiding: self.password)
        }
        guard answer == .simpleString(Array(step.answer.utf8)) else {
            return .unexpectedAnswer(to: step.name, "expected \(step.answer)")
        }
        return nil
    }
}
