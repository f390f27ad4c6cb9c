package import Logging
import StageKit

/// Writes one JSON object per line: `time`, `level`, `logger`, `message`, then metadata under its own names.
///
/// Metadata with one of those four names gets the suffix `_`. Integers and booleans keep their type, lists and
/// dictionaries become arrays and objects, everything else is text.
package struct JSONLogHandler: LogHandler {
    /// Metadata of every event.
    package var metadata: Logger.Metadata = [:]
    /// Provides additional metadata for each event.
    package var metadataProvider: Logger.MetadataProvider?
    /// The minimum log level.
    package var logLevel: Logger.Level

    private static let reserved: Set<String> = ["time", "level", "logger", "message"]

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
        var line = Array("{".utf8)
        JSONText.appendMember("time", LogTime.text(self.output.now()), to: &line)
        line.append(UInt8(ascii: ","))
        JSONText.appendMember("level", event.level.rawValue, to: &line)
        line.append(UInt8(ascii: ","))
        JSONText.appendMember("logger", self.label, to: &line)
        line.append(UInt8(ascii: ","))
        JSONText.appendMember("message", LogMetadata.cut(event.message.description), to: &line)
        for (name, value) in LogMetadata.merged(self.metadata, self.metadataProvider, event) {
            line.append(UInt8(ascii: ","))
            JSONText.append(Self.reserved.contains(name) ? "\(name)_" : name, to: &line)
            line.append(UInt8(ascii: ":"))
            Self.append(value, depth: 0, to: &line)
        }
        line.append(UInt8(ascii: "}"))
        self.output.emit(line: line)
    }

    /// Maximum depth of lists and dictionaries; deeper values are written as text.
    private static let depthLimit = 8

    private static func append(_ value: Logger.MetadataValue, depth: Int, to line: inout [UInt8]) {
        switch value {
        case .array(let values) where depth < Self.depthLimit:
            line.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                self.append(value, depth: depth + 1, to: &line)
            }
            line.append(UInt8(ascii: "]"))
        case .dictionary(let values) where depth < Self.depthLimit:
            line.append(UInt8(ascii: "{"))
            for (index, (name, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                JSONText.append(name, to: &line)
                line.append(UInt8(ascii: ":"))
                self.append(value, depth: depth + 1, to: &line)
            }
            line.append(UInt8(ascii: "}"))
        case .stringConvertible(let value) where value is any FixedWidthInteger || value is Bool:
            line += Array(value.description.utf8)
        default:
            JSONText.append(LogMetadata.cut(value.description), to: &line)
        }
    }
}
