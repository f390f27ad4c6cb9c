import ComponentKit
import StageKit

/// The streams that feed a store, if there are several: their ids cannot be compared with each other.
///
/// A live record stores its stream in an additional field, a trace stores it instead of marks. A key belongs to the
/// stream of its last change: an upsert from another stream is refused, an eviction from another stream is applied
/// whatever the ids. A key that has moved to another stream is therefore refused and evicted once, and stored again
/// from its next entry there.
struct FeedingStreams: Sendable {
    /// The streams' names by number.
    let names: [String]
    /// The number of the field that contains a live record's stream.
    let field: UInt8

    /// The stream of a record, or `nil` if it is not known, as for a record from an older checkpoint.
    func origin(of record: PackedRecord) -> Int? {
        if record.isTrace { return Int(record.marks) }
        var walk = record.fields
        guard let range = walk.first(self.field)?.range, range.count == 1 else { return nil }
        return unsafe Int(record.unsafeBytes(range)[0])
    }

    /// Whether a record is known to come from a different stream.
    func isForeign(_ record: PackedRecord, to stream: Int) -> Bool {
        self.origin(of: record).map { $0 != stream } ?? false
    }

    /// The error for an event whose key has a record of another stream.
    func refusal(of stream: Int, _ record: PackedRecord, store: String) -> StageFailure {
        let held = self.origin(of: record).map { self.name($0) } ?? ""
        return StageFailure(StreamRefusal(store: store, held: held, entry: self.name(stream)).description)
    }

    private func name(_ stream: Int) -> String { stream < self.names.count ? self.names[stream] : "\(stream)" }
}
