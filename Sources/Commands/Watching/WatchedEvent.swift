import Foundation
import JSON

/// An event as sent by `/v1/tap`, `/v1/live` and `/v1/explain`.
struct WatchedEvent: Decodable {
    /// The entry's id.
    var entry: String
    /// The outcome.
    var outcome: String
    /// The reason for the outcome.
    var reason: String?
    /// The stage that failed on the event.
    var stage: String?
    /// The stage that ended its processing.
    var endedBy: String?
    /// The event's key.
    var key: String?
    /// The key in base64, if it is not UTF-8.
    var keyBase64: String?
    /// The error.
    var error: String?
    /// The event's effects.
    var effects: [String]?
    /// The time of the outcome, in milliseconds since the epoch.
    var time: Double

    private enum CodingKeys: String, CodingKey {
        case entry, outcome, reason, stage, key, error, effects
        case endedBy = "ended_by"
        case keyBase64 = "key_b64"
        case time = "at_ms"
    }

    /// One line for people, without control characters.
    var line: String {
        let key = self.key ?? self.keyBase64.map { "base64 \($0)" } ?? "-"
        var words = [ClockText.time(self.time), self.entry, self.outcome, key]
        if let reason = self.reason { words.append(reason) }
        if let stage = self.stage ?? self.endedBy { words.append("at \(stage)") }
        if let effects = self.effects, !effects.isEmpty { words.append("[\(effects.joined(separator: " "))]") }
        let line = words.joined(separator: "  ") + (self.error.map { ": \($0)" } ?? "")
        return PlainText.of(line)
    }
}

/// Times for people, in the terminal's time zone.
enum ClockText {
    /// Returns the time of day for a number of milliseconds since the epoch.
    static func time(_ milliseconds: Double) -> String { self.text(milliseconds, "%H:%M:%S") }

    /// Returns the date and the time.
    static func dayAndTime(_ milliseconds: Double) -> String { self.text(milliseconds, "%Y-%m-%d %H:%M:%S") }

    private static func text(_ milliseconds: Double, _ format: String) -> String {
        // An id may contain any 64-bit number; one beyond the calendar is not a time.
        guard milliseconds >= 0, milliseconds < 253_402_300_800_000 else { return "--:--:--" }
        var seconds = time_t(milliseconds / 1000)
        var parts = unsafe tm()
        guard unsafe localtime_r(&seconds, &parts) != nil else { return "--:--:--" }
        var buffer = [CChar](repeating: 0, count: 32)
        let count = unsafe strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Escapes untrusted text for a terminal.
enum PlainText {
    /// Returns the text with characters that a terminal would interpret replaced by escapes such as `\u{9b}`: text from
    /// a stream must not move the cursor, change colours, write to the clipboard or change the direction of the text
    /// after it.
    static func of(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            if JSONString.isEscaped(scalar) {
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }
}
