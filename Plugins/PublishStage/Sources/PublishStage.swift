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
        failureReason: "publish_failure", waits: true, keys: { settings, _ in [settings.target.key] })

    /// The maximum length of a stream's or channel's name that contains fields, in bytes.
    static let nameLimit = 1024

    private let target: Target
    /// The name with its fields, or `nil` if it contains none.
    private let template: ResolvedTemplate?
    private var targets: TargetLimit
    private let fields: SelectedFields
    private let publisher: (any MessagePublisher)?
    private let effect: EffectID

    /// Creates the stage; it reads the fields to send.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.target = settings.target
        let name = settings.target.name
        let template = name.resolve(setup, refusingSecretsIn: "the name of a stream or channel")
        self.template = name.literal == nil ? template : nil
        self.targets = TargetLimit(settings.maxTargets)
        self.fields = settings.fields.resolve(setup)
        self.publisher = setup.publisher()
        self.effect = setup.effect("publish")
    }

    /// Lets the event wait to be sent. An event without any of the fields fails, because a message needs at least one
    /// field, as does one from which no name can be made.
    public func process(_ event: inout Event) throws -> Verdict {
        guard self.fields.isPresent(in: event) else {
            throw StageFailure("publish: the event has none of the fields")
        }
        if self.template != nil {
            let name = try self.name(for: event)
            guard self.targets.accept(Array(name.utf8)) else {
                throw StageFailure(
                    "publish: more than \(self.targets.limit) different \(self.kind)s: raise max_targets if that "
                        + "is intended")
            }
        }
        return .wait
    }

    /// What messages are sent to, for error messages.
    private var kind: String {
        if case .stream = self.target { "stream" } else { "channel" }
    }

    /// Returns the name of the event's stream or channel.
    private func name(for event: borrowing Event) throws(StageFailure) -> String {
        guard let template = self.template else { return self.target.name.literal ?? "" }
        var bytes: [UInt8] = []
        do throws(TemplateFailure) {
            try template.append(event, to: &bytes, limit: Self.nameLimit, missing: .refuse)
        } catch {
            throw StageFailure("publish: \(self.kind): \(error.message)")
        }
        guard let name = String(validating: bytes, as: UTF8.self) else {
            throw StageFailure("publish: \(self.kind): the name is not valid UTF-8")
        }
        return name
    }

    /// Sends all waiting events together. An event whose message the server refuses fails.
    public func complete(_ events: WaitingEvents) async throws {
        guard let publisher = self.publisher else { return }
        let messages = try (0..<events.count).map { position in
            // Does not throw: the event was accepted with this name.
            try events.withEvent(at: position) { (event) throws(StageFailure) in try self.message(event) }
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

    private func message(_ event: borrowing Event) throws(StageFailure) -> OutgoingMessage {
        let values = self.fields.values(of: event)
        let name = try self.name(for: event)
        switch self.target {
        case .stream(_, let maxLength):
            let fields = values.map { OutgoingMessage.Field(name: $0.name, value: $0.value) }
            return .entry(stream: name, maxLength: maxLength, fields: fields)
        case .channel:
            var payload: [UInt8] = []
            JSONText.append(values, to: &payload)
            return .text(channel: name, payload: payload)
        }
    }
}
