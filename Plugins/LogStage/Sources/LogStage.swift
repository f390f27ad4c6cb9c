import Logging
public import StageKit

/// Writes a log line for every event.
public final class LogStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "log",
        summary: "Writes a log line for every event.",
        settings: .object(Settings.schema),
        example: """
            log: { level: warning, message: order refused, fields: [order_id] }
            """,
        failureReason: "log_failure")

    /// Maximum bytes of a logged value, so that log lines stay readable.
    static let valueLimit = 1024

    private let logger: Logger
    private let level: Logger.Level
    private let message: Logger.Message
    private let fields: [(name: String, id: FieldID, isSecret: Bool)]

    /// Creates the stage; it reads the logged fields.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.logger = setup.logger
        self.level = settings.level
        self.message = Logger.Message(stringLiteral: settings.message)
        self.fields = settings.fields.map { ($0.text, setup.input($0), setup.isSecret($0.text)) }
    }

    /// Writes the line.
    public func process(_ event: inout Event) throws -> Verdict {
        // Checked first, so that a disabled level costs nothing.
        guard self.logger.logLevel <= self.level else { return .next }
        self.logger.log(level: self.level, self.message, metadata: self.metadata(of: event))
        return .next
    }

    /// Does nothing: there is nothing to send at the end of a batch.
    public func endBatchAtOnce() -> Bool { true }

    private func metadata(of event: borrowing Event) -> Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        for (name, id, isSecret) in self.fields {
            guard let range = event.range(of: id) else { continue }
            if isSecret {
                metadata[name] = .string(FieldTable.placeholder)
                continue
            }
            event.withBytes(range) { LoggedValue($0, limit: LogStage.valueLimit).add(to: &metadata, name: name) }
        }
        metadata["stream"] = .string(event.stream)
        metadata["entry"] = .string("\(event.eventID)")
        if event.isReplayed { metadata["original"] = .string("\(event.orderID)") }
        if let failure = event.failure {
            metadata["stage"] = failure.stage.map { .string($0) }
            metadata["reason"] = failure.reason.map { .string($0) }
            metadata["error"] = .string(failure.message)
        }
        return metadata
    }
}
