public import StageKit

/// Gives a field the words "Hello, " and the value of another field.
public final class GreetStage: Stage {
    /// What the YAML under `greet` says.
    public struct Settings: Sendable {
        /// The field with the name.
        var name = MarkedName.unread
        /// The field that gets the greeting.
        var into = "greeting"
        /// What stands before the name.
        var words = "Hello, "
    }

    /// Name, settings and documentation: what every verb knows of the stage.
    public static let declaration = StageDeclaration(
        name: "greet",
        summary: "Greets whom a field names.",
        settings: .object(
            SettingsSchema(
                Settings(),
                [
                    .required("name", \.name, .name, "The field with the name."),
                    .optional(
                        "into", \.into, .nonBlankText, default: "greeting", "The field that gets the greeting."),
                    .optional("words", \.words, .text, default: "Hello, ", "What stands before the name."),
                ])),
        example: "greet: { name: user_id }",
        failureReason: "nobody_to_greet",
        isPure: true)

    private let name: FieldID
    private let greeting: FieldID
    private let words: [UInt8]

    /// Looks the fields up once; a name that no earlier stage provides is told with its place in the file.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.name = setup.input(settings.name)
        self.greeting = setup.output(settings.into)
        self.words = Array(settings.words.utf8)
    }

    /// Called for every event, in stream order. What it throws is this event's failure and no other's.
    public func process(_ event: inout Event) throws -> Verdict {
        let greeting = event.withValue(of: self.name) { name -> [UInt8]? in
            guard let name else { return nil }
            return self.words + name.indices.map { name[$0] }
        }
        guard let greeting else { throw StageFailure("greet: there is no name") }
        event.set(self.greeting, copying: greeting)
        return .next
    }
}
