import JSON
package import Logging

/// Writes one line per event for people: time, level, logger, message, then metadata as `name=value`.
///
/// A value is quoted if it is empty or contains a space, `=`, `\` or `"`. Control characters are always escaped, so
/// that text from the stream cannot start a new line or control a terminal.
package struct TextLogHandler: LogHandler {
    /// Metadata of every event.
    package var metadata: Logger.Metadata = [:]
    /// Provides additional metadata for each event.
    package var metadataProvider: Logger.MetadataProvider?
    /// The minimum log level.
    package var logLevel: Logger.Level

    private let label: String
    private let output: LogOutput

    /// Creates a handler.
    package init(label: String, level: Logger.Level, output: LogOutput) {
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
        var line = "\(LogTime.text(self.output.now())) \(event.level.rawValue) \(Self.escape(self.label)):"
        line += " \(Self.escape(event.message.description))"
        for (name, value) in LogMetadata.merged(self.metadata, self.metadataProvider, event) {
            line += " \(Self.word(name))=\(Self.word(value.description))"
        }
        self.output.emit(line: Array(line.utf8))
    }

    private static func word(_ text: String) -> String {
        let isPlain = !text.isEmpty && !text.utf8.contains { [0x20, 0x22, 0x3D, 0x5C].contains($0) }
        if isPlain { return self.escape(text) }
        var quoted = ""
        for scalar in LogMetadata.cut(text).unicodeScalars {
            if scalar == "\"" || scalar == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(scalar)
        }
        return "\"\(self.escapeControls(quoted))\""
    }

    private static func escape(_ text: String) -> String {
        self.escapeControls(LogMetadata.cut(text))
    }

    /// Escapes the characters that JSON escapes (`JSONString.isEscaped`) as `\n`, `\r`, `\t` or `\u{1b}`.
    private static func escapeControls(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A: escaped += "\\n"
            case 0x0D: escaped += "\\r"
            case 0x09: escaped += "\\t"
            case _ where JSONString.isEscaped(scalar): escaped += "\\u{\(String(scalar.value, radix: 16))}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
