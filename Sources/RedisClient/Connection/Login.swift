import RESP

/// The commands that are sent first on a connection, and the interpretation of their answers. Does no I/O.
struct Login: Sendable {
    /// A login command, its name in messages, and its expected answer.
    struct Step: Sendable {
        /// The command to send.
        let command: RESPCommand
        /// The command's name, for messages.
        let name: String
        /// The answer if the command succeeds.
        let answer: String
    }

    /// Error answers to PING that do not end the connection: the server has answered, and reading may work although
    /// this command does not.
    static let pingRefusals = ["NOPERM ", "MISCONF ", "MASTERDOWN ", "READONLY ", "OOM ", "ERR unknown command"]

    /// The password, which is removed from messages.
    let password: Secret?
    /// The steps, in order. All of them are sent in one write.
    let steps: [Step]
    /// The commands that name the connection, which follow the steps in the same write.
    ///
    /// Their answers are ignored: older servers do not know the commands, and the user may lack the permission.
    let naming: [RESPCommand]

    /// Creates the steps: AUTH if there is a password, SELECT if the database is not 0, and PING to check that the
    /// server answers.
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
        self.naming = settings.clientName.commands
    }

    /// Returns the error that ends the connection because of the answer to a step, or `nil` if the answer is
    /// acceptable.
    func failure(of step: Step, _ answer: RESPValue) -> RedisError? {
        if case .error(let text) = answer {
            if step.name == "PING", Self.pingRefusals.contains(where: { text.hasPrefix($0) }) { return nil }
            return .answer(text, to: step.name, hiding: self.password)
        }
        guard answer == .simpleString(Array(step.answer.utf8)) else {
            return .unexpectedAnswer(to: step.name, "expected \(step.answer)")
        }
        return nil
    }
}
