package import Logging

/// Writes one line per event, in one of the formats.
package struct LineLogHandler: LogHandler {
    /// Metadata of every event.
    package var metadata: Logger.Metadata = [:]
    /// Provides additional metadata for each event.
    package var metadataProvider: Logger.MetadataProvider?
    /// The minimum log level.
    package var logLevel: Logger.Level

    private let format: LogFormat
    private let label: String
    private let output: LogOutput

    /// Creates a handler.
    package init(format: LogFormat, label: String, level: Logger.Level, output: LogOutput) {
        self.format = format
        self.label = label
        self.logLevel = level
        self.output = output
    }

    /// One entry of the metadata.
    package subscript(metadataKey name: String) -> Logger.Metadata.Value? {
        get { self.metadata[name] }
        set { self.metadata[name] = newValue }
    }

    /// Writes an event.
    package func log(event: LogEvent) {
        let line = LogLine(
            time: LogTime.text(self.output.now()), level: event.level, logger: self.label,
            message: LogLine.cut(event.message.description),
            metadata: LogLine.merged(self.metadata, self.metadataProvider, event))
        switch self.format {
        case .text: self.output.emit(line: TextLogLine.bytes(of: line))
        case .json: self.output.emit(line: JSONLogLine.bytes(of: line))
        }
    }
}
