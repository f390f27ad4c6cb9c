import CEL
package import StageKit

/// The values of a snapshot for a condition, by the numbers that the condition's fields were given.
package protocol SnapshotValues {
    /// The entry of the snapshot.
    var entryID: EntryID { get }

    /// Returns whether the snapshot has a field.
    func has(_ field: Int) -> Bool

    /// Returns a field's bytes as text, or `nil` if it is missing or is not valid UTF-8.
    func text(of field: Int) -> String?

    /// Returns a field's number, or `nil` if it is missing or is not a number.
    func integer(of field: Int) -> Int64?

    /// Returns whether a field has exactly these bytes.
    func value(of field: Int, equals bytes: [UInt8]) -> Bool
}

/// A condition on snapshots, ready to be evaluated: the same program as that of a condition on events, with other
/// variables.
///
/// Fails closed: if an expression fails for a snapshot, for example because a field that it uses is missing, the
/// snapshot does not meet the condition.
package final class SnapshotProgram: Sendable {
    private let program: Program
    private let clock: WallClock

    /// Compiles a condition. An expression with a mistake does not hold; `ConditionSettings.checkSnapshots` reports it.
    ///
    /// - Parameters:
    ///   - settings: The condition.
    ///   - clock: The clock that `now` reads.
    ///   - number: Returns the number of a field, at least 0.
    package init(_ settings: ConditionSettings, clock: WallClock = .system, number: (String) -> Int) {
        var names: [String] = []
        for expression in settings.expressions {
            for name in Program.names(in: expression.text)
            where !names.contains(name) && !SnapshotName.variables.contains(where: { $0.name == name }) {
                names.append(name)
            }
        }
        let fields = names.map { ExpressionEnvironment.Variable($0, .dyn, number: number($0)) }
        var builder = ConditionBuilder(SnapshotName.environment(fields))
        let root = settings.add(to: &builder, variable: { number($0.text) }, report: { _, _ in })
        self.program = builder.program(root)
        self.clock = clock
    }

    /// Whether the result for the same snapshot may change with time.
    package var usesTime: Bool { self.program.variables.contains(SnapshotName.now.rawValue) }

    /// The number of a field and its value, if the condition is that this field has this value. A number is compared by
    /// its text.
    package var singleValue: (field: Int, value: [UInt8])? {
        let tests = self.program.textTests(includesDynamic: true)
        guard tests.isComplete, tests.tests.count == 1, tests.tests[0].variable >= 0, tests.tests[0].texts.count == 1
        else { return nil }
        return (tests.tests[0].variable, tests.tests[0].texts[0])
    }

    /// Returns whether a snapshot meets the condition.
    package func holds(for values: some SnapshotValues) -> Bool {
        (try? self.program.test(SnapshotVariables(values: values, clock: self.clock))) ?? false
    }
}

extension ConditionSettings {
    /// The expressions in the condition.
    fileprivate var expressions: [ExpressionSettings] {
        self.parts.flatMap { part -> [ExpressionSettings] in
            switch part {
            case .expression(let expression): [expression]
            case .any(let conditions), .all(let conditions): conditions.flatMap(\.expressions)
            case .not(let condition): condition.expressions
            case .equals, .field: []
            }
        }
    }

    /// Checks the expressions of a condition on snapshots that have these fields. Adds an error for every mistake.
    ///
    /// - Parameters:
    ///   - fields: The names of the fields, with their types.
    ///   - allowsTime: Whether the condition may depend on the time of a lookup.
    ///   - issues: Receives the errors.
    package func checkSnapshots(
        _ fields: [(name: String, type: FieldType)], allowsTime: Bool, _ issues: inout SettingIssues
    ) {
        let variables = fields.map { field in
            let type: ExpressionType =
                switch field.type {
                // A snapshot holds the text of values of the other types.
                case .text, .bytes, .unsigned, .double, .bool, .timestamp, .duration, .json: .string
                case .integer: .int
                case .unknown: .dyn
                }
            return ExpressionEnvironment.Variable(field.name, type)
        }
        var builder = ConditionBuilder(SnapshotName.environment(variables))
        _ = self.add(to: &builder, variable: { _ in 0 }, report: { $0.report($1, &issues) })
        if allowsTime { return }
        for expression in self.expressions where Program.names(in: expression.text).contains("now") {
            issues.add(
                "a condition of a shared store cannot use now: its result is kept from when the snapshot was stored",
                at: expression.position)
        }
    }
}

/// The names in conditions on snapshots that are not fields. They hide fields of the same name.
private enum SnapshotName: Int, CaseIterable {
    case entryID = -1
    case entryTime = -2
    case now = -3

    static let variables: [ExpressionEnvironment.Variable] = [
        .init("entry.id", .string, number: SnapshotName.entryID.rawValue),
        .init("entry.time", .timestamp, number: SnapshotName.entryTime.rawValue),
        .init("now", .timestamp, number: SnapshotName.now.rawValue),
    ]

    static func environment(_ fields: [ExpressionEnvironment.Variable]) -> ExpressionEnvironment {
        var environment = ExpressionEnvironment(Self.variables + fields)
        environment.allowsHasOfVariables = true
        environment.checksLiterals = true
        environment.timeZone = TimeZoneFiles().lookup
        return environment
    }
}

/// The variables of a condition on a snapshot.
private struct SnapshotVariables<Values: SnapshotValues>: VariableSource {
    let values: Values
    let clock: WallClock

    func value(of variable: Int) throws(EvaluationError) -> Value? {
        if let name = SnapshotName(rawValue: variable) {
            switch name {
            case .entryID: return .string(self.values.entryID.description)
            case .entryTime: return ExpressionNames.timestamp(self.values.entryID.milliseconds)
            case .now: return ExpressionNames.timestamp(UInt64(clamping: self.clock.milliseconds))
            }
        }
        if let integer = self.values.integer(of: variable) { return .int(integer) }
        if let text = self.values.text(of: variable) { return .string(text) }
        if self.values.has(variable) { throw EvaluationError("a field is not valid UTF-8") }
        return nil
    }

    func has(_ variable: Int) -> Bool { variable < 0 || self.values.has(variable) }

    func compare(_ variable: Int, with bytes: [UInt8]) -> TextComparison {
        guard variable >= 0, self.values.has(variable), self.values.integer(of: variable) == nil else {
            return .unknown
        }
        return self.values.value(of: variable, equals: bytes) ? .equal : .different
    }

    func text(of variable: Int, equals bytes: [UInt8]) -> Bool {
        variable >= 0 && self.values.value(of: variable, equals: bytes)
    }

    func number(of variable: Int) -> Int64? { variable < 0 ? nil : self.values.integer(of: variable) }
}
