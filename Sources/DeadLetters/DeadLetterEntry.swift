import DeadLetterStage
import RESP
import StageKit

/// An entry of the dead-letter stream.
struct DeadLetterEntry: Sendable, Equatable {
    /// The dead-letter entry's own id.
    let id: EntryID
    /// Facts about the failure, by their names in the stream: the fixed names of `DeadLetter`.
    let facts: [String: String]
    /// The original's fields.
    private(set) var fields: [SelectedFields.Field]

    /// Parses an entry of an `XRANGE` reply: an id and an array of alternating names and values; returns `nil` if it is
    /// malformed.
    init?(_ entry: RESPValue) {
        guard let parts = entry.array, parts.count == 2, let id = parts[0].string.flatMap({ EntryID($0) }),
            let values = parts[1].array?.map(\.bytes), values.count % 2 == 0
        else { return nil }
        var facts: [String: String] = [:]
        var fields: [SelectedFields.Field] = []
        let prefix = Array(DeadLetter.fieldPrefix.utf8)
        for index in stride(from: 0, to: values.count, by: 2) {
            guard let name = values[index], let value = values[index + 1] else { return nil }
            if name.starts(with: prefix) {
                fields.append(SelectedFields.Field(name: Array(name.dropFirst(prefix.count)), value: value))
            } else {
                facts[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
            }
        }
        self.id = id
        self.facts = facts
        self.fields = fields
    }

    /// The id that the original is ordered by, or `nil` if it is missing or malformed.
    var original: EntryID? {
        guard self.facts[DeadLetter.id].flatMap({ EntryID($0) }) != nil else { return nil }
        return (self.facts[DeadLetter.original] ?? self.facts[DeadLetter.id]).flatMap { EntryID($0) }
    }

    /// The reason why the original cannot be replayed from this entry, whatever its stream contains, or `nil` if there is
    /// none.
    ///
    /// - Parameter wholeEntries: Whether the whole original of an element may be replayed.
    func obstacle(wholeEntries: Bool) -> ReplayScript.Result? {
        // Any value counts: an entry that was written by hand should rather be refused.
        if self.facts[DeadLetter.added] != nil { return .addedByWorker }
        if self.facts[DeadLetter.incomplete] != nil { return .incomplete }
        if let element = self.facts[DeadLetter.event], !wholeEntries { return .element(element) }
        return nil
    }

    /// Returns the entry with the values of secret fields replaced by a placeholder.
    func hiding(_ secrets: Set<String>) -> DeadLetterEntry {
        var entry = self
        for index in entry.fields.indices
        where secrets.contains(String(decoding: entry.fields[index].name, as: UTF8.self)) {
            entry.fields[index].value = Array(FieldTable.placeholder.utf8)
        }
        return entry
    }

    /// Returns the time since the entry was written, by the server's clock.
    func age(now: Int64) -> Duration {
        .milliseconds(max(0, now - Int64(clamping: self.id.milliseconds)))
    }

    /// Returns the entry as one JSON object, with or without the original's fields.
    func json(now: Int64, withFields: Bool) -> String {
        var bytes = [UInt8(ascii: "{")]
        JSONText.appendMember("letter", self.id.description, to: &bytes)
        for name in [DeadLetter.pipeline, DeadLetter.stream, DeadLetter.id, DeadLetter.event, DeadLetter.original] {
            self.member(name, to: &bytes)
        }
        for name in [DeadLetter.added, DeadLetter.incomplete] where self.facts[name] != nil {
            bytes += Array(",\"\(name)\":true".utf8)
        }
        for name in [DeadLetter.stage, DeadLetter.reason] {
            self.member(name, to: &bytes)
        }
        self.member(DeadLetter.error, to: &bytes)
        for name in [DeadLetter.attempts, DeadLetter.deliveries, DeadLetter.time] {
            if let number = self.facts[name].flatMap({ Int64($0) }) { bytes += Array(",\"\(name)\":\(number)".utf8) }
        }
        bytes += Array(",\"age_ms\":\(self.age(now: now).microseconds / 1000)".utf8)
        if withFields {
            bytes += Array(",\"fields\":[".utf8)
            for (index, field) in self.fields.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.append(UInt8(ascii: "{"))
                JSONText.appendMember("name", field.name, to: &bytes)
                bytes.append(UInt8(ascii: ","))
                JSONText.appendMember("value", field.value, to: &bytes)
                bytes.append(UInt8(ascii: "}"))
            }
            bytes.append(UInt8(ascii: "]"))
        }
        bytes.append(UInt8(ascii: "}"))
        return String(decoding: bytes, as: UTF8.self)
    }

    private func member(_ name: String, to bytes: inout [UInt8]) {
        guard let value = self.facts[name] else { return }
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember(name, value, to: &bytes)
    }

    /// The cells of a line in a list: dead-letter id, original, stage, reason, age, error.
    func cells(now: Int64) -> [String] {
        let name = self.facts[DeadLetter.event] == nil ? DeadLetter.id : DeadLetter.event
        let kind = self.facts[DeadLetter.added] == nil ? "" : " (added by the worker)"
        let original = "\(self.fact(DeadLetter.stream)) \(self.fact(name))\(kind)"
        return [
            self.id.description, original, self.fact(DeadLetter.stage), self.fact(DeadLetter.reason),
            DeadLetterText.age(self.age(now: now)), self.fact(DeadLetter.error),
        ]
    }

    /// The entry for people, one line per fact.
    func lines(now: Int64) -> [String] {
        var lines = ["dead-letter entry: \(self.id) (\(DeadLetterText.age(self.age(now: now))) old)"]
        let names = [
            DeadLetter.pipeline, DeadLetter.stream, DeadLetter.id, DeadLetter.event, DeadLetter.added,
            DeadLetter.incomplete, DeadLetter.original, DeadLetter.stage, DeadLetter.reason, DeadLetter.error,
            DeadLetter.attempts, DeadLetter.deliveries,
            DeadLetter.time,
        ]
        for name in names where self.facts[name] != nil { lines.append("\(name): \(self.fact(name))") }
        lines.append("fields: \(self.fields.count)")
        return lines
            + self.fields.map { "  \(DeadLetterText.shown($0.name)): \(DeadLetterText.shown($0.value))" }
    }

    /// Returns a fact, escaped for a terminal, or `-` if the entry does not have it.
    private func fact(_ name: String) -> String {
        self.facts[name].map { DeadLetterText.shown(Array($0.utf8)) } ?? "-"
    }
}

/// Dead-letter entries as text for people.
enum DeadLetterText {
    /// Returns printable bytes unchanged and others quoted: text from a stream must not control a terminal.
    static func shown(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        let quoted = QuotedText.quote(bytes.span)
        return quoted == "\"\(text)\"" ? text : quoted
    }

    /// Formats a duration in its largest unit: `12s`, `3m`, `5h`, `2d`.
    static func age(_ age: Duration) -> String {
        let seconds = age.components.seconds
        return switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3600: "\(seconds / 60)m"
        case ..<86_400: "\(seconds / 3600)h"
        default: "\(seconds / 86_400)d"
        }
    }

    /// Formats rows with aligned columns, two spaces apart; the last column is not padded.
    static func table(_ rows: [[String]]) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                column == columns - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }.joined(separator: "  ")
        }
    }
}
