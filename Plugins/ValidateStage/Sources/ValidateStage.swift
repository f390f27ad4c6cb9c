public import StageKit

/// Fails events whose values do not keep to rules. A field without a value keeps to every rule.
public final class ValidateStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "validate",
        summary: "Fails events whose values do not keep to rules.",
        settings: Settings.type,
        example: """
            validate:
              status: { one_of: [open, closed] }
            """,
        failureReason: "invalid_event",
        isPure: true)

    private let checks: [Check]

    /// Makes the stage; it reads the fields that have rules.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.checks = settings.fields.flatMap { field in
            let id = setup.input(MarkedName(field.name, at: field.mark))
            return field.value.map { Check(name: field.name, field: id, rule: $0) }
        }
    }

    /// Holds the event's values against the rules, in the order of the file.
    public func process(_ event: inout Event) throws -> Verdict {
        for check in self.checks where !check.passes(event) { throw check.failure(event) }
        return .next
    }
}

/// One rule of one field.
struct Check {
    private let name: String
    private let field: FieldID
    private let rule: ValidateStage.Rule
    /// The words of `one_of` as bytes, so that nothing is converted for each event.
    private let words: [[UInt8]]

    /// Makes a check of a rule for the field called `name`.
    init(name: String, field: FieldID, rule: ValidateStage.Rule) {
        self.name = name
        self.field = field
        self.rule = rule
        switch rule {
        case .oneOf(let words): self.words = words.map { Array($0.utf8) }
        }
    }

    /// Whether the event's value keeps to the rule; true where it has none.
    func passes(_ event: borrowing Event) -> Bool {
        guard event.range(of: self.field) != nil else { return true }
        switch self.rule {
        case .oneOf: return self.words.contains { event.value(of: self.field, equals: $0) }
        }
    }

    /// What to tell of an event that does not pass.
    func failure(_ event: borrowing Event) -> StageFailure {
        let value = event.range(of: self.field).map { event.withBytes($0) { QuotedText.quote($0) } } ?? "none"
        switch self.rule {
        case .oneOf(let words):
            let list = words.joined(separator: ", ")
            return StageFailure("validate: \(self.name): unsupported value \(value) (one of \(list))")
        }
    }
}
