public import StageKit

/// Publishes every event to a Redis stream or channel, batch by batch and in stream order.
public final class PublishStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "publish",
        summary: "Sends events to a Redis stream or channel.",
        settings: Read.type,
        example: """
            publish: { stream: "orders:paid", fields: [order_id, amount], max_length: 100000 }
            """,
        failureReason: "publish_failure", waits: true)

    private let target: Target
    private let fields: SelectedFields
    private let publisher: (any MessagePublisher)?
    private let effect: EffectID

    /// Creates the stage; it reads the fields to send.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.target = settings.target
        self.fields = settings.fields.resolve(setup)
        self.publisher = setup.publisher()
        self.effect = setup.effect("publish")
    }

    /// Lets the event wait to be sent. An event without any of the fields fails, because a message needs at least one
    /// field.
    public func process(_ event: inout Event) throws -> Verdict {
        guard self.fields.isPresent(in: event) else {
            throw StageFailure("publish: the event has none of the fields")
        }
        return .wait
    }

    /// Sends all waiting events together. An event whose message the server refuses fails.
    public func complete(_ events: WaitingEvents) async throws {
        guard let publisher = self.publisher else { return }
        let messages = (0..<events.count).map { position in
            events.withEvent(at: position) { event in self.message(event) }
        }
        let results = try await publisher.publish(messages)
        for (position, failure) in results.enumerated() {
            if let failure {
                events.fail(at: position, StageFailure("publish: \(failure.message)"))
            } else {
                events.withEvent(at: position) { event in event.record(self.effect) }
            }
        }
    }

    private func message(_ event: borrowing Event) -> OutgoingMessage {
        let values = self.fields.values(of: event)
        switch self.target {
        case .stream(let stream, let maxLength):
            let fields = values.map { OutgoingMessage.Field(name: $0.name, value: $0.value) }
            return .entry(stream: stream, maxLength: maxLength, fields: fields)
        case .channel(let channel):
            var payload: [UInt8] = []
            JSONText.append(values, to: &payload)
            return .text(channel: channel, payload: payload)
        }
    }
}
