public import StageKit

/// Writes events to a dead-letter stream for manual inspection, with everything that is needed to replay them.
public final class DeadLetterStage: Stage {
    /// The settings under `dead_letter`.
    public struct Settings: Sendable {
        /// The dead-letter stream, or `nil` for the source's stream with `:dead` appended.
        public var stream: String?
        /// The approximate number of entries that the stream keeps.
        public var maxLength = DeadLetter.defaultMaxLength

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "stream", \.stream, .optional(.nonBlankText),
                    "Stream for the dead-letter entries; default: the source's stream followed by :dead."),
                .optional(
                    "max_length", \.maxLength, .integer(1...Int.max), default: "100000",
                    "Approximate number of entries that the stream keeps."),
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "dead_letter",
        summary: "Moves failed events to a Redis stream, from which they can be replayed.",
        settings: .object(Settings.schema),
        example: """
            dead_letter: { stream: "orders:dead", max_length: 100000 }
            """,
        failureReason: "dead_letter_failure", waits: true,
        keys: { settings, streams in
            let targets = settings.stream.map { [$0] } ?? streams.map { DeadLetter.defaultStream(of: $0) }
            return targets.map { ServerKey(.deadLetters(stream: $0), from: "stream") }
        })

    private let settings: Settings
    private let pipeline: String
    private let publisher: (any MessagePublisher)?
    private let clock: WallClock
    private let effect: EffectID
    private let reason: ReasonID

    /// Creates the stage; it reads no field.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.settings = settings
        self.pipeline = setup.pipeline
        self.publisher = setup.publisher()
        self.clock = setup.clock
        self.effect = setup.effect("dead_letter")
        self.reason = setup.reason("put_aside")
    }

    /// Lets the event wait for its dead-letter entry.
    public func process(_ event: inout Event) throws -> Verdict { .wait }

    /// Writes all dead-letter entries together. An event whose entry was written is finished; if the entry is refused,
    /// the event fails.
    public func complete(_ events: WaitingEvents) async throws {
        guard let publisher = self.publisher else { return }
        let milliseconds = self.clock.milliseconds
        let entries = (0..<events.count).map { position in
            events.withEvent(at: position) { event in
                OutgoingMessage.entry(
                    stream: self.settings.stream ?? DeadLetter.defaultStream(of: event.stream),
                    maxLength: self.settings.maxLength,
                    fields: DeadLetter.fields(of: event, pipeline: self.pipeline, milliseconds: milliseconds))
            }
        }
        let results = try await publisher.publish(entries)
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
