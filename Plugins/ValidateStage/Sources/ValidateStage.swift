public import StageKit

/// Fails events whose values do not keep to rules. A field without a value keeps to every rule but `required_if`.
public final class ValidateStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "validate",
        summary: "Fails events whose values do not keep to rules.",
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

    private let checks: CheckList
    private let clock: WallClock
    /// The clock as first read for this batch: it need not be read for each event.
    private var now: Int64?

    /// Makes the stage; it reads the fields that have rules.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.checks = CheckList(
            settings.fields.flatMap { field in
                let id = setup.input(MarkedName(field.name, at: field.mark))
                return Rule.rules(field.value, setup).map { Check(name: field.name, field: id, rule: $0) }
            })
        self.clock = setup.clock
    }

    /// Holds the event's values against the rules, in the order of the file.
    public func process(_ event: inout Event) throws -> Verdict {
        if self.checks.needClock, self.now == nil { self.now = self.clock.milliseconds }
        let now = self.now ?? 0
        if let index = self.checks.firstFailing(event, now: now) { throw self.checks[index].failure(event, now: now) }
        return .next
    }

    /// Has the clock read again for the next batch.
    public func endBatchAtOnce() -> Bool {
        self.now = nil
        return true
    }
}
