import PipelineEngine
import StageKit

/// The format of journal lines: one JSON object, without members that do not apply.
enum JournalLine {
    /// Appends an event's line with a line end.
    static func append(_ event: borrowing Event, _ result: EventResult, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        self.appendMembers(event, result, limit: .max, to: &bytes)
        bytes += [UInt8(ascii: "}"), UInt8(ascii: "\n")]
    }

    /// Appends an event's members; keys and messages are cut to `limit` bytes.
    static func appendMembers(
        _ event: borrowing Event, _ result: EventResult, limit: Int, to bytes: inout [UInt8]
    ) {
        JSONText.appendMember("entry", event.eventID.description, to: &bytes)
        self.member("original", event.isReplayed ? event.orderID.description : nil, to: &bytes)
        self.member("outcome", result.outcome.name, to: &bytes)
        self.member("reason", result.reason, to: &bytes)
        self.member("stage", result.stage, to: &bytes)
        if let keyField = result.keyField, let range = event.range(of: keyField) {
            bytes.append(UInt8(ascii: ","))
            if result.fields.isSecret(keyField) {
                JSONText.appendMember("key", FieldTable.placeholder, to: &bytes)
            } else {
                let key = event.withBytes(range) { key in Array(copying: key, limit: limit) }
                JSONText.appendMember("key", key, to: &bytes)
            }
        }
        if let error = result.error {
            bytes.append(UInt8(ascii: ","))
            JSONText.appendMember("error", [UInt8](copying: error.utf8.span, limit: limit), to: &bytes)
        }
        if event.deliveries > 1 { bytes += Array(",\"deliveries\":\(event.deliveries)".utf8) }
        if !result.effects.isEmpty {
            bytes.append(UInt8(ascii: ","))
            JSONText.append("effects", to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            JSONText.append(result.effects, to: &bytes)
        }
    }

    private static func member(_ name: String, _ value: String?, to bytes: inout [UInt8]) {
        guard let value else { return }
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember(name, value, to: &bytes)
    }
}
