public import StageKit

/// The JSON form of a snapshot, one line:
/// `{"key":"ds-1","entry":"1700000000000-0","fields":{"device_session_id":"ds-1","revoked_at_ms":5}}`.
///
/// Fields appear in the snapshot's order, each in the form that its type has in JSON (`JSONText.appendMember`). Whole
/// numbers have all their digits (readers that parse numbers as doubles lose digits beyond 2^53). Bytes that are not UTF-8 are written in base64
/// under `<name>_b64`, or `key_b64` for the key.
public enum SnapshotJSON {
    /// Returns the line, without a line end.
    public static func text(_ snapshot: Snapshot, types: [String: FieldType] = [:]) -> String {
        var bytes: [UInt8] = []
        self.append(snapshot, types: types, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the line, without a line end; `types` are the types of the fields in the graph.
    public static func append(_ snapshot: Snapshot, types: [String: FieldType] = [:], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        JSONText.appendMember("key", snapshot.key, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("entry", snapshot.entryID.description, to: &bytes)
        bytes += Array(#","fields":{"#.utf8)
        for (index, field) in snapshot.fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            JSONText.appendMember(
                field.name, field.bytes, integer: field.integer, typed: field.typedValue(types[field.name]), to: &bytes)
        }
        bytes += Array("}}".utf8)
    }
}
