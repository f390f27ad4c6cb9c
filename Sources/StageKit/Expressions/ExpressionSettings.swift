package import CEL

/// An expression as written in the file, in the Common Expression Language.
public struct ExpressionSettings: Sendable {
    /// The text.
    public let text: String
    /// The position of the text.
    public let position: SettingPosition
    /// The positions of the parts of the text.
    private let parts: [SettingNode.Part]
    /// Whether the text has a mistake of the syntax, which was reported when it was decoded. Names and types are not
    /// checked then, but those of other expressions are.
    package private(set) var isMalformed = false

    /// A placeholder for a required expression in the defaults of settings.
    public static let unread = ExpressionSettings()

    /// The shape of an expression in the file.
    package static let shape = SettingShape.form("an expression")

    private init() {
        self.text = ""
        self.position = LocatedName.unread.position
        self.parts = []
    }

    /// Decodes an expression; errors go to the issues.
    init?(_ node: SettingNode, _ issues: inout SettingIssues) {
        guard case .scalar(let text, _) = node.content else {
            issues.add("expected an expression, found \(node.kindName)", at: node.position)
            return nil
        }
        self.text = text
        self.position = node.position
        self.parts = node.parts
        // Names and types are checked when the fields are known.
        do throws(ExpressionProblems) {
            try Program.checkSyntax(text)
        } catch {
            self.report(error, &issues)
            self.isMalformed = true
        }
    }

    /// The expression in one line.
    var line: String { self.text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }

    /// Compiles the expression for the fields that earlier stages provide. Adds an error for every mistake.
    ///
    /// - Parameters:
    ///   - setup: The setup of the stage.
    ///   - isCondition: Whether the result must be a bool.
    /// - Returns: `nil` if there is a mistake.
    public func resolve(_ setup: StageSetup, isCondition: Bool = false) -> EventExpression? {
        setup.noteTemplate(at: self.position)
        if self.isMalformed { return nil }
        let environment = EventVariables.environment(setup)
        do throws(ExpressionProblems) {
            let program = try Program(self.text, environment, result: isCondition ? .bool : nil)
            return EventExpression(program, environment, setup)
        } catch {
            self.report(error, &setup.issues)
            return nil
        }
    }

    /// Adds mistakes at their positions in the file.
    package func report(_ problems: ExpressionProblems, _ issues: inout SettingIssues) {
        for problem in problems.problems { self.report(problem, &issues) }
    }

    /// Adds a mistake at its position in the file. If that is not known, because the text contains environment
    /// variables or escape sequences that span lines, the position in the text follows the message.
    private func report(_ problem: ExpressionProblem, _ issues: inout SettingIssues) {
        guard let part = self.parts.last(where: { $0.offset <= problem.position.offset }) else {
            let place = problem.position
            let suffix = place.offset == 0 ? "" : " (at \(place.line):\(place.column) of the expression)"
            return issues.add(problem.message + suffix, at: self.position)
        }
        let before = self.text.utf8.prefix(problem.position.offset).dropFirst(part.offset)
        let columns = before.count { $0 & 0xC0 != 0x80 }
        issues.add(
            problem.message, at: SettingPosition(line: part.position.line, column: part.position.column + columns))
    }
}

extension SettingType where Value == ExpressionSettings {
    /// An expression in the Common Expression Language.
    public static var expression: SettingType<ExpressionSettings> {
        SettingType(shape: ExpressionSettings.shape) { node, issues in ExpressionSettings(node, &issues) }
    }
}
