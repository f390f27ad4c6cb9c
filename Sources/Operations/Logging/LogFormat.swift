package import Logging
import StageKit

/// The format of log lines.
package enum LogFormat: String, CaseIterable, Sendable {
    /// For people: `2023-11-14T22:13:20.000Z warning sluice: gone key=value`.
    case text
    /// For machines: one JSON object per line.
    case json

    /// Creates a handler that writes lines in this format.
    package func handler(label: String, level: Logger.Level, output: LogOutput) -> any LogHandler {
        LineLogHandler(format: self, label: label, level: level, output: output)
    }
}

/// The content of one line, for all formats.
struct LogLine {
    /// The time, as text.
    let time: String
    /// The level.
    let level: Logger.Level
    /// The label of the logger.
    let logger: String
    /// The message, cut to the limit.
    let message: String
    /// The metadata, sorted by name.
    let metadata: [(name: String, value: Logger.MetadataValue)]

    /// Returns the metadata of the logger, the provider and the event, later ones winning, sorted by name; an event's
    /// error is included as `error`, unless the metadata has this name.
    static func merged(
        _ own: Logger.Metadata, _ provider: Logger.MetadataProvider?, _ event: LogEvent
    ) -> [(name: String, value: Logger.MetadataValue)] {
        var all: Logger.Metadata = [:]
        if let error = event.error { all["error"] = "\(error)" }
        all.merge(own) { _, later in later }
        if let provider { all.merge(provider.get()) { _, later in later } }
        if let metadata = event.metadata { all.merge(metadata) { _, later in later } }
        return all.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    }

    /// Returns the text, cut to `LogOutput.textLimit` with the number of omitted bytes.
    static func cut(_ text: String) -> String {
        guard text.utf8.count > LogOutput.textLimit else { return text }
        return "\(text.prefix(bytes: LogOutput.textLimit))... (\(text.utf8.count) bytes)"
    }
}
