public import StageKit

/// Removes the values of fields, so that no later stage sees them and no store keeps them.
public final class RemoveStage: Stage {
    /// The settings under `remove`.
    public struct Settings: Sendable {
        /// The fields to clear.
        public var fields: [LocatedName] = []

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "fields", \.fields, .list(of: .name, orSingle: true, minimum: 1),
                    "The fields whose values are removed.")
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "remove",
        summary: "Removes the values of fields.",
        settings: .object(Settings.schema),
        example: """
            remove: { fields: [region, amount] }
            """,
        failureReason: "remove_failure",
        isPure: true)

    private let fields: [FieldID]

    /// Creates the stage; earlier stages must provide the fields.
    public init(_ settings: Settings, _ setup: StageSetup) {
        setup.issues.context += ": fields"
        self.fields = settings.fields.map { setup.input($0) }
    }

    /// Removes the values; a field without a value stays without one.
    public func process(_ event: inout Event) throws -> Verdict {
        for index in self.fields.indices { event.remove(self.fields[index]) }
        return .next
    }
}
