import PipelineEngine
import StageKit

/// An event's outcome for taps and the dashboard: the journal's members, cut if they are long, and, for a tap, the
/// values that may be shown.
enum WatchLine {
    /// Maximum bytes shown of a key, a value or a message.
    static let valueLimit = 512

    /// Returns the line; `time` is the time of the outcome, in milliseconds since the epoch.
    static func json(
        _ event: borrowing Event, _ result: EventResult, time: Int, withFields: Bool = false
    ) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        JournalLine.appendMembers(event, result, limit: self.valueLimit, to: &bytes)
        if let endedBy = result.endedBy {
            bytes.append(UInt8(ascii: ","))
            JSONText.appendMember("ended_by", endedBy, to: &bytes)
        }
        bytes += Array(",\"at_ms\":\(time)".utf8)
        if withFields { self.appendFields(event, result.fields, to: &bytes) }
        bytes.append(UInt8(ascii: "}"))
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func appendFields(_ event: borrowing Event, _ table: FieldTable, to bytes: inout [UInt8]) {
        bytes += Array(",\"fields\":{".utf8)
        var isFirst = true
        for column in table.columns {
            guard let range = event.range(of: column.field) else { continue }
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            if column.isSecret {
                JSONText.appendMember(column.name, FieldTable.placeholder, to: &bytes)
            } else {
                let value = event.withBytes(range) { [UInt8](copying: $0, limit: self.valueLimit) }
                // JSON and bytes that are cut are shown as text.
                let isWhole = range.length <= UInt32(self.valueLimit)
                JSONText.appendMember(
                    column.name, value, integer: event.integer(of: column.field),
                    typed: isWhole ? event.typedValue(of: column.field) : nil, to: &bytes)
            }
        }
        bytes.append(UInt8(ascii: "}"))
    }
}

extension Array where Element == UInt8 {
    /// Copies the bytes of a span; if there are more than `limit`, the first of them followed by `…`, without cutting a
    /// character.
    package init(copying span: Span<UInt8>, limit: Int) {
        guard span.count > limit else {
            self.init(copying: span)
            return
        }
        var end = limit
        // Continuation bytes of UTF-8 (10xxxxxx); more than three of them in a row are not UTF-8 anyway.
        while end > limit - 3, span[end] & 0xC0 == 0x80 { end -= 1 }
        self.init(copying: span.extracting(first: end))
        self += Array("…".utf8)
    }
}
