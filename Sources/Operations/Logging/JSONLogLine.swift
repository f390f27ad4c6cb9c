import Logging
import StageKit

/// A line as one JSON object: `time`, `level`, `logger`, `message`, then metadata under its own names.
///
/// Metadata with one of those four names gets the suffix `_`. Integers and booleans keep their type, lists and
/// dictionaries become arrays and objects, everything else is text.
enum JSONLogLine {
    private static let reserved: Set<String> = ["time", "level", "logger", "message"]

    /// Returns the line, without its end.
    static func bytes(of content: LogLine) -> [UInt8] {
        var line = Array("{".utf8)
        JSONText.appendMember("time", content.time, to: &line)
        line.append(UInt8(ascii: ","))
        JSONText.appendMember("level", content.level.rawValue, to: &line)
        line.append(UInt8(ascii: ","))
        JSONText.appendMember("logger", content.logger, to: &line)
        line.append(UInt8(ascii: ","))
        JSONText.appendMember("message", content.message, to: &line)
        for (name, value) in content.metadata {
            line.append(UInt8(ascii: ","))
            JSONText.append(Self.reserved.contains(name) ? "\(name)_" : name, to: &line)
            line.append(UInt8(ascii: ":"))
            self.append(value, depth: 0, to: &line)
        }
        line.append(UInt8(ascii: "}"))
        return line
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
            JSONText.append(LogLine.cut(value.description), to: &line)
        }
    }
}
