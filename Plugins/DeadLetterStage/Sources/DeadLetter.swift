import StageKit

/// The format of a dead-letter entry, from which the original entry can be restored.
///
/// It starts with the circumstances, under fixed names. The original's fields follow in order, byte for byte, including
/// repeated names, each with the prefix `field:`. No fixed name contains a colon, so the two kinds cannot be confused,
/// even by readers that represent an entry as a dictionary.
public enum DeadLetter {
    /// The pipeline that wrote the dead-letter entry.
    public static let pipeline = "pipeline"
    /// The stream of the original.
    public static let stream = "stream"
    /// The original's id.
    public static let id = "id"
    /// The event's own id, such as `1700000000000-0#2`, if a stage made it of an element of the original.
    public static let event = "event"
    /// `true` if the worker added the event, such as `aggregate` for a window, or a bootstrap for a key: the stream has no
    /// such entry.
    public static let added = "added"
    /// `true` if the fields are not all of the original's: the source has left out a value that is too large.
    public static let incomplete = "incomplete"
    /// The id that the original is ordered by, if it was a replayed entry itself.
    public static let original = "original"
    /// The failed stage; missing if no stage failed.
    public static let stage = "stage"
    /// The reason of the failure; missing if the event has not failed.
    public static let reason = "reason"
    /// The message of the failure; missing if the event has not failed.
    public static let error = "error"
    /// The number of the stage's attempts.
    public static let attempts = "attempts"
    /// The number of times that the server had delivered the original; present if a consumer group received it more
    /// than once.
    public static let deliveries = "deliveries"
    /// When the dead-letter entry was written, in milliseconds since the epoch by the worker's clock.
    public static let time = "time_ms"
    /// The prefix of the names of the original's fields.
    public static let fieldPrefix = "field:"

    /// The default number of dead-letter entries that the stream keeps: a day at one failure per second, in some tens
    /// of MiB.
    public static let defaultMaxLength = 100_000
    /// The maximum length of the failure message, in bytes; messages of stages are far shorter.
    static let errorLimit = 4096

    /// Returns the default dead-letter stream of a stream.
    public static func defaultStream(of stream: String) -> String { "\(stream):dead" }

    /// Returns the fields of the dead-letter entry.
    static func fields(
        of event: borrowing Event, pipeline: String, milliseconds: Int64
    ) -> [OutgoingMessage.Field] {
        var fields = [
            OutgoingMessage.Field(Self.pipeline, pipeline),
            OutgoingMessage.Field(Self.stream, event.stream),
            OutgoingMessage.Field(Self.id, event.id.description),
        ]
        if event.element != nil { fields.append(OutgoingMessage.Field(Self.event, "\(event.eventID)")) }
        if event.isAdded { fields.append(OutgoingMessage.Field(Self.added, "true")) }
        if event.isPartial { fields.append(OutgoingMessage.Field(Self.incomplete, "true")) }
        if event.isReplayed { fields.append(OutgoingMessage.Field(Self.original, event.orderID.description)) }
        if let failure = event.failure {
            if let stage = failure.stage { fields.append(OutgoingMessage.Field(Self.stage, stage)) }
            if let reason = failure.reason { fields.append(OutgoingMessage.Field(Self.reason, reason)) }
            let text = String(decoding: failure.message.utf8.prefix(Self.errorLimit), as: UTF8.self)
            fields.append(OutgoingMessage.Field(Self.error, text))
        }
        fields.append(OutgoingMessage.Field(Self.attempts, "\(event.failure?.attempts ?? 1)"))
        if event.deliveries > 1 { fields.append(OutgoingMessage.Field(Self.deliveries, "\(event.deliveries)")) }
        fields.append(OutgoingMessage.Field(Self.time, "\(milliseconds)"))
        let prefix = Array(Self.fieldPrefix.utf8)
        for field in event.rawFields {
            fields.append(OutgoingMessage.Field(name: prefix + field.name, value: field.value))
        }
        return fields
    }
}
