public import StageKit

/// Sets a field to "Hello, " and the value of another field.
public final class GreetStage: Stage {
    /// The settings under `greet` in the pipeline file.
    public struct Settings: Sendable {
        /// The field with the name.
        var name = LocatedName.unread
        /// Field for the greeting.
        var into = "greeting"
        /// Text before the name.
        var words = "Hello, "
    }

    /// Name, settings and documentation, for all subcommands.
    public static let declaration = StageDeclaration(
        name: "greet",
        summary: "Adds a greeting with the value of a field.",
        settings: .object(
            SettingsSchema(
                Settings(),
                [
                    .required("name", \.name, .name, "The field with the name."),
                    .optional(
                        "into", \.into, .nonBlankText, default: "greeting", "Field for the greeting."),
                    .optional("words", \.words, .text, default: "Hello, ", "Text before the name."),
                ])),
        example: "greet: { name: user_id }",
        failureReason: "nobody_to_greet",
        isPure: true)

    private let name: FieldID
    private let greeting: FieldID
    private let words: [UInt8]

    /// Resolves the fields once; an unknown field is reported with its position in the file.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.name = setup.input(settings.name)
        self.greeting = setup.output(settings.into)
        self.words = Array(settings.words.utf8)
    }

    /// Called for every event, in stream order. An error that it throws fails only this event.
    public func process(_ event: inout Event) throws -> Verdict {
        let greeting = event.withValue(of: self.name) { name -> [UInt8]? in
            guard let name else { return nil }
            return self.words + [UInt8](copying: name)
        }
        guard let greeting else { throw StageFailure("greet: the name is missing") }
        event.set(self.greeting, copying: greeting)
        return .next
    }
}
