public import StageKit

/// Takes the values of fields away, so that no later stage sees them and no store keeps them.
public final class RemoveStage: Stage {
    /// What the YAML under `remove` says.
    public struct Settings: Sendable {
        /// The fields to take away.
        public var fields: [MarkedName] = []

        /// How the file spells them.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "fields", \.fields, .list(of: .name, orSingle: true, minimum: 1),
                    "The fields whose values are taken away.")
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "remove",
        summary: "Takes the values of fields away.",
        settings: .object(Settings.schema),
        example: """
            remove: { fields: [region, amount] }
            """,
        failureReason: "remove_failure",
        isPure: true)

    private let fields: [FieldID]

    /// Makes the stage; the fields must be provided by earlier ones.
    public init(_ settings: Settings, _ setup: StageSetup) {
        setup.issues.context += ": fields"
        self.fields = settings.fields.map { setup.input($0) }
    }

    /// Takes the values away; a field without one stays so.
    public func process(_ event: inout Event) throws -> Verdict {
        for index in self.fields.indices { event.remove(self.fields[index]) }
        return .next
    }
}
