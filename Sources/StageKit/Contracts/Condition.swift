package import CEL

/// A condition on an event's values as written in the file, in `when` and other settings.
public struct ConditionSettings: Sendable {
    /// A part of a condition.
    package enum Part: Sendable {
        /// The field has one of these values.
        case equals(LocatedName, [String])
        /// The field exists and passes all tests.
        case field(LocatedName, FieldTests)
        /// At least one of these conditions holds.
        case any([ConditionSettings])
        /// All of these conditions hold.
        case all([ConditionSettings])
        /// This condition does not hold.
        case not(ConditionSettings)
        /// The expression is true.
        case expression(ExpressionSettings)
    }

    /// The parts, all of which must hold.
    package var parts: [Part]

    /// A placeholder for a required condition in the defaults of settings.
    public static let unread = ConditionSettings(parts: [])

    /// Returns the condition with its field names resolved. Adds an error for a field that no earlier stage provides.
    public func resolve(_ setup: StageSetup) -> Condition { Condition(self.compile(setup)) }

    /// Returns the program of the condition.
    func compile(_ setup: StageSetup) -> EventExpression {
        self.checkBounds(setup)
        let environment = self.hasExpression ? EventVariables.environment(setup) : ExpressionEnvironment()
        var builder = ConditionBuilder(environment)
        let root = self.add(
            to: &builder, variable: { setup.input($0).index }, report: { $0.report($1, &setup.issues) })
        return EventExpression(builder.program(root), environment, setup)
    }

    /// Adds an error for bounds of a field that is not a whole number.
    private func checkBounds(_ setup: StageSetup) {
        for part in self.parts {
            switch part {
            case .field(let name, let tests):
                if tests.numbers == nil || [.integer, .text, .unknown].contains(setup.type(of: name.text)) { continue }
                setup.issues.add(
                    "\(name.text) is not an int64, so its bounds need an expression such as "
                        + "when: \"\(name.text) > ...\"", at: name.position)
            case .any(let conditions), .all(let conditions): conditions.forEach { $0.checkBounds(setup) }
            case .not(let condition): condition.checkBounds(setup)
            case .equals, .expression: break
            }
        }
    }

    /// The condition that a field has a value.
    package static func field(_ name: String, equals value: String) -> ConditionSettings {
        ConditionSettings(parts: [.equals(LocatedName(name, at: LocatedName.unread.position), [value])])
    }

    /// Adds the condition to a program.
    ///
    /// - Parameters:
    ///   - builder: The program.
    ///   - variable: Returns the number of a field.
    ///   - report: Receives the mistakes of an expression, which then does not hold.
    /// - Returns: The part of the program.
    package func add(
        to builder: inout ConditionBuilder, variable: (LocatedName) -> Int,
        report: (ExpressionSettings, ExpressionProblems) -> Void
    ) -> ConditionBuilder.Part {
        var parts: [ConditionBuilder.Part] = []
        for part in self.parts {
            switch part {
            case .equals(let name, let values):
                parts.append(builder.text(of: variable(name), isOneOf: values.map { Array($0.utf8) }))
            case .field(let name, let tests):
                let number = variable(name)
                if let numbers = tests.numbers {
                    parts.append(builder.number(of: number, isIn: numbers))
                } else {
                    let part = builder.has(number)
                    parts.append(tests.exists ?? true ? part : builder.not(part))
                }
            case .any(let conditions):
                let added = conditions.map { $0.add(to: &builder, variable: variable, report: report) }
                parts.append(builder.any(added))
            case .all(let conditions):
                let added = conditions.map { $0.add(to: &builder, variable: variable, report: report) }
                parts.append(builder.all(added))
            case .not(let condition):
                let added = condition.add(to: &builder, variable: variable, report: report)
                parts.append(builder.not(added))
            case .expression(let expression):
                guard !expression.isMalformed else {
                    parts.append(builder.any([]))
                    continue
                }
                do throws(ExpressionProblems) {
                    parts.append(try builder.expression(expression.text))
                } catch {
                    report(expression, error)
                    parts.append(builder.any([]))
                }
            }
        }
        return builder.all(parts)
    }

    /// Whether a part is an expression.
    package var hasExpression: Bool {
        self.parts.contains { part in
            switch part {
            case .expression: true
            case .any(let conditions), .all(let conditions): conditions.contains(where: \.hasExpression)
            case .not(let condition): condition.hasExpression
            case .equals, .field: false
            }
        }
    }
}

/// A condition on an event's values, ready to be evaluated: one program, and its comparisons with texts, which are made
/// on the event's bytes without the program.
///
/// Invariant: for every event, the result is that of the program. A field that has none of its texts decides that the
/// condition does not hold; if the comparisons are all there is, they also decide that it does.
public struct Condition: Sendable {
    /// The fields with the byte strings that each may have.
    @usableFromInline let texts: [(field: FieldID, values: [[UInt8]])]
    /// The program, or `nil` if the comparisons decide for every event.
    @usableFromInline let program: EventExpression?

    /// Creates a condition that every event meets.
    package init() {
        self.texts = []
        self.program = nil
    }

    /// Creates a condition that is evaluated by this program.
    init(_ program: EventExpression) {
        let texts = program.textTests
        self.texts = texts.tests
        self.program = texts.isComplete && texts.allowsMissing ? nil : program
    }

    /// Returns whether the event meets the condition. In the form of names with values, a field that the event does not
    /// have has no value and no number.
    ///
    /// - Throws: The error of an expression, for example because a field that it uses is missing.
    @inlinable
    public func holds(for event: borrowing Event) throws(StageFailure) -> Bool {
        if let holds = self.comparisonsHold(for: event) { return holds }
        return try self.othersHold(for: event)
    }

    /// Returns whether the event meets the condition if the comparisons decide it, otherwise `nil`: `othersHold` then
    /// decides.
    ///
    /// Apart from `othersHold` because this cannot fail: a caller on the hot path does not retain the condition for it.
    @inlinable
    package func comparisonsHold(for event: borrowing Event) -> Bool? {
        // In place: iterating over the arrays themselves would retain each value.
        let texts = self.texts.span
        for index in texts.indices {
            // A missing field may be an error.
            guard let range = event.range(of: texts[index].field) else { return self.program == nil ? false : nil }
            let values = texts[index].values.span
            var found = false
            for number in values.indices where event.bytes(range, equal: values[number]) {
                found = true
                break
            }
            if !found { return false }
        }
        guard let program = self.program, !program.isDecidedByTexts else { return true }
        return nil
    }

    /// Returns whether the event meets a condition that its comparisons do not decide.
    ///
    /// - Throws: The error of an expression.
    @usableFromInline @inline(never)
    package func othersHold(for event: borrowing Event) throws(StageFailure) -> Bool {
        try self.program?.holds(for: event) ?? true
    }
}
