import StageKit

/// The streams that feed a store, if they are several: their ids cannot be compared with each other.
///
/// A live record remembers its stream in a field of its own, a trace in the place of its marks. A key belongs to the stream
/// that it was last changed from: another stream's upsert is refused, another stream's eviction is made whatever the ids.
/// A key that has moved to another stream is refused and evicted once, and held again from its next entry there.
struct FeedingStreams: Sendable {
    /// The streams' names by number.
    let names: [String]
    /// The number of the field that has a live record's stream.
    let field: UInt8

    /// The stream that a record came from; nil if that is not known, as of one out of an older checkpoint.
    func origin(of record: PackedRecord) -> Int? {
        if record.isTrace { return Int(record.marks) }
        var walk = record.fields
        guard let range = walk.first(self.field)?.range, range.count == 1 else { return nil }
        return unsafe Int(record.unsafeBytes(range)[0])
    }

    /// Whether a record is known to come from another stream than this one.
    func isForeign(_ record: PackedRecord, to stream: Int) -> Bool {
        self.origin(of: record).map { $0 != stream } ?? false
    }

    /// Why an event cannot be held under a key that has a record of another stream.
    func refusal(of stream: Int, _ record: PackedRecord, store: String) -> StageFailure {
        let held = self.origin(of: record).map { self.name($0) } ?? ""
        return StageFailure(StreamRefusal(store: store, held: held, entry: self.name(stream)).description)
    }

    private func name(_ stream: Int) -> String { stream < self.names.count ? self.names[stream] : "\(stream)" }
}
