public import StageKit

/// Puts events aside on a stream for a person, with everything that is needed to play them again.
public final class DeadLetterStage: Stage {
    /// What the YAML under `dead_letter` says.
    public struct Settings: Sendable {
        /// The stream; nil for the source's with `:dead` behind it.
        public var stream: String?
        /// About how many letters it keeps.
        public var maxLength = DeadLetter.defaultMaxLength

        /// How the file spells them.
        static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "stream", \.stream, .optional(.nonBlankText),
                    "The stream that gets the letters; where left out, the source's name with :dead behind it."),
                .optional(
                    "max_length", \.maxLength, .integer(1...Int.max), default: "100000",
                    "About how many letters the stream keeps, the newest."),
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "dead_letter",
        summary: "Puts events aside on a Redis stream, from which they can be played again.",
        settings: .object(Settings.schema),
        example: """
            dead_letter: { stream: "orders:dead", max_length: 100000 }
            """,
        failureReason: "dead_letter_failure", waits: true)

    private let settings: Settings
    private let pipeline: String
    private let publisher: (any MessagePublisher)?
    private let clock: WallClock
    private let effect: EffectID
    private let reason: ReasonID

    /// Makes the stage; it reads no field.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.settings = settings
        self.pipeline = setup.pipeline
        self.publisher = setup.publisher()
        self.clock = setup.clock
        self.effect = setup.effect("dead_letter")
        self.reason = setup.reason("put_aside")
    }

    /// Has the event wait for its letter.
    public func process(_ event: inout Event) throws -> Verdict { .wait }

    /// Writes all letters at once; an event whose letter stands ends here, one whose letter is refused fails.
    public func complete(_ events: WaitingEvents) async throws {
        guard let publisher = self.publisher else { return }
        let milliseconds = self.clock.milliseconds
        let letters = (0..<events.count).map { position in
            events.withEvent(at: position) { event in
                OutgoingMessage.entry(
                    stream: self.settings.stream ?? DeadLetter.defaultStream(of: event.stream),
                    maxLength: self.settings.maxLength,
                    fields: DeadLetter.fields(of: event, pipeline: self.pipeline, milliseconds: milliseconds))
            }
        }
        let results = try await publisher.publish(letters)
        for (position, failure) in results.enumerated() {
            if let failure {
                events.fail(at: position, StageFailure("dead_letter: \(failure.message)"))
            } else {
                events.withEvent(at: position) { event in event.record(self.effect) }
                events.finish(at: position, .deadLettered, self.reason)
            }
        }
    }
}
