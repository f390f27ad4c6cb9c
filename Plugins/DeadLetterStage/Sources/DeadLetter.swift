import StageKit

/// The form of a dead letter: an entry of the dead-letter stream, of which the original can be made again.
///
/// First what happened, under fixed names, then the original's fields in order, byte for byte and repeated names
/// included, each under its name with `field:` before it. No fixed name has a colon, so nothing can be taken for
/// something else, also by readers that hold an entry as a dictionary.
public enum DeadLetter {
    /// The pipeline that put it aside.
    public static let pipeline = "pipeline"
    /// The stream that the original stood in.
    public static let stream = "stream"
    /// The original's id.
    public static let id = "id"
    /// The id that the original is ordered by, if it was a replayed entry itself.
    public static let original = "original"
    /// The stage that failed on it; not there where none did.
    public static let stage = "stage"
    /// The reason of the failure; not there where none did.
    public static let reason = "reason"
    /// What was wrong; not there where nothing was.
    public static let error = "error"
    /// How often the stage tried.
    public static let attempts = "attempts"
    /// How often the server had delivered the original, where a consumer group had it more than once.
    public static let deliveries = "deliveries"
    /// When it was put aside: milliseconds since the epoch by the worker's clock.
    public static let time = "time_ms"
    /// Stands before the names of the original's fields.
    public static let fieldPrefix = "field:"

    /// Letters kept where the file says nothing: a day of one failure a second, in some tens of MiB.
    public static let defaultMaxLength = 100_000
    /// Bytes of an error's text that are kept: what stages write is far shorter.
    static let errorLimit = 4096

    /// Where letters of a stream go unless the file names another place.
    public static func defaultStream(of stream: String) -> String { "\(stream):dead" }

    /// The letter's fields.
    static func fields(
        of event: borrowing Event, pipeline: String, milliseconds: Int64
    ) -> [OutgoingMessage.Field] {
        var fields = [
            OutgoingMessage.Field(Self.pipeline, pipeline),
            OutgoingMessage.Field(Self.stream, event.stream),
            OutgoingMessage.Field(Self.id, event.id.description),
        ]
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
