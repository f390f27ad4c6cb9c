import Hummingbird
import StageKit

/// The query of a lookup by an indexed field, `?index=user_id&value=u-1&limit=100`, and its response:
/// `{"index":"user_id","value":"u-1","truncated":false,"snapshots":[...]}`, with each snapshot on a line of its own.
///
/// Names and values are percent-decoded byte for byte, as in a path: a `+` is a plus.
struct IndexQuery: Equatable {
    /// The name of the field.
    var field: String
    /// The value.
    var value: [UInt8]
    /// The maximum number of snapshots.
    var limit = AdminLimits.indexedSnapshots.default

    /// Reads the query; returns `nil` if it does not name an index.
    init?(_ request: Request) throws(AdminFailure) {
        let halves = request.head.path?.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = (halves?.dropFirst().first ?? "").split(separator: "&", omittingEmptySubsequences: false)
        let names = parts.map { $0.prefix { $0 != "=" } }
        guard names.contains("index") else { return nil }
        var values: [String: [UInt8]] = [:]
        for (name, part) in zip(names, parts) {
            guard ["index", "value", "limit"].contains(name), part.count > name.count,
                let value = PercentCoding.decode(String(part.dropFirst(name.count + 1)))
            else {
                throw .badRequest(
                    "unknown query \"\(part)\": a lookup by an index is ?index=FIELD&value=VALUE, with &limit=N")
            }
            guard values.updateValue(value, forKey: String(name)) == nil else {
                throw .badRequest("\(name) is given twice")
            }
        }
        guard let value = values["value"], !value.isEmpty else {
            throw .badRequest("a value is missing: ?index=FIELD&value=VALUE")
        }
        self.field = String(decoding: values["index"] ?? [], as: UTF8.self)
        self.value = value
        guard let limit = values["limit"] else { return }
        let text = String(decoding: limit, as: UTF8.self)
        guard let number = Int(text), (1...AdminLimits.indexedSnapshots.maximum).contains(number) else {
            throw .badRequest("limit: it must be from 1 to \(AdminLimits.indexedSnapshots.maximum), not \"\(text)\"")
        }
        self.limit = number
    }

    /// Returns the response for a store.
    ///
    /// - Throws: `AdminFailure` if the store has no such index.
    func response(from store: any StageStore, types: [String: FieldType]) throws(AdminFailure) -> [UInt8] {
        let limit = IndexLimit(count: self.limit, bytes: AdminLimits.indexedBytes)
        guard let found = store.indexed?.snapshots(by: self.field, equal: self.value.span, limit: limit) else {
            let hint = Nearest.hint(for: self.field, among: store.indexed?.indexedFields.map(\.text) ?? [])
            throw .badRequest(
                "the store \(store.name) has no index by \"\(self.field)\"\(hint); a memory store has one with the setting "
                    + "index")
        }
        var bytes = [UInt8(ascii: "{")]
        JSONText.appendMember("index", self.field, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("value", self.value, to: &bytes)
        bytes += Array(",\"truncated\":\(found.isTruncated),\"snapshots\":[".utf8)
        for (position, snapshot) in found.snapshots.enumerated() {
            bytes += Array((position == 0 ? "\n" : ",\n").utf8)
            SnapshotJSON.append(snapshot, types: types, to: &bytes)
        }
        return bytes + Array("\n]}\n".utf8)
    }
}
