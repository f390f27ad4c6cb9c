public import StageKit

/// Fails events whose values break rules. A field without a value breaks no rule except `required_if`.
public final class ValidateStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "validate",
        summary: "Fails events whose values break rules.",
        settings: Settings.type,
        example: """
            validate:
              status: { one_of: [open, closed] }
              order_id: { pattern: "[a-z]+-[0-9]{1,12}", length: { max: 64 } }
              amount:
                range: { min: 0, max: 1000000 }
                required_if: { status: closed }
            """,
        failureReason: "invalid_event",
        isPure: true)

    /// The rules in the order of the file, or `nil` if there is none.
    private let firstCheck: Check?
    /// The conditions that every event must meet, with their texts.
    private let required: [(condition: EventExpression, text: String)]
    private let needsClock: Bool
    private let clock: WallClock
    /// The time of the clock's first reading in this batch.
    private var now: Int64?

    /// Creates the stage; it reads the fields that have rules.
    public init(_ settings: Settings, _ setup: StageSetup) {
        let context = setup.issues.context
        let rules = settings.fields.flatMap { field in
            let id = setup.input(LocatedName(field.name, at: field.position))
            let isSecret = setup.isSecret(field.name)
            setup.issues.context = "\(context): \(field.name): required_if"
            defer { setup.issues.context = context }
            return Rule.rules(field.value, setup).map { (name: field.name, field: id, isSecret: isSecret, rule: $0) }
        }
        self.firstCheck = rules.reversed().reduce(nil) { next, rule in
            Check(name: rule.name, field: rule.field, isSecret: rule.isSecret, rule: rule.rule, before: next)
        }
        setup.issues.context = "\(context): require"
        self.required = settings.require.compactMap { settings in
            settings.resolve(setup, isCondition: true).map { ($0, settings.text) }
        }
        setup.issues.context = context
        self.needsClock = self.firstCheck?.needsClock ?? false
        self.clock = setup.clock
    }

    /// Checks the event's values against the rules, in the order of the file.
    public func process(_ event: inout Event) throws -> Verdict {
        if self.needsClock, self.now == nil { self.now = self.clock.milliseconds }
        let now = self.now ?? 0
        if let check = self.firstCheck?.firstFailing(event, now: now) { throw check.failure(event, now: now) }
        if !self.required.isEmpty { try self.checkRequired(event) }
        return .next
    }

    private func checkRequired(_ event: borrowing Event) throws(StageFailure) {
        for required in self.required {
            if try !required.condition.holds(for: event) {
                throw StageFailure("validate: require: \"\(required.text)\" does not hold")
            }
        }
    }

    /// Makes the next batch read the clock again.
    public func endBatchAtOnce() -> Bool {
        self.now = nil
        return true
    }
}
