import JSON
import Logging

/// A line for people: time, level, logger, message, then metadata as `name=value`.
///
/// A value is quoted if it is empty or contains a space, `=`, `\` or `"`. Control characters are always escaped, so
/// that text from the stream cannot start a new line or control a terminal.
enum TextLogLine {
    /// Returns the line, without its end.
    static func bytes(of content: LogLine) -> [UInt8] {
        var line = "\(content.time) \(content.level.rawValue) \(self.escape(content.logger)):"
        line += " \(self.escapeControls(content.message))"
        for (name, value) in content.metadata {
            line += " \(self.word(name))=\(self.word(value.description))"
        }
        return Array(line.utf8)
    }

    private static func word(_ text: String) -> String {
        let isPlain = !text.isEmpty && !text.utf8.contains { [0x20, 0x22, 0x3D, 0x5C].contains($0) }
        if isPlain { return self.escape(text) }
        var quoted = ""
        for scalar in LogLine.cut(text).unicodeScalars {
            if scalar == "\"" || scalar == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(scalar)
        }
        return "\"\(self.escapeControls(quoted))\""
    }

    private static func escape(_ text: String) -> String {
        self.escapeControls(LogLine.cut(text))
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
