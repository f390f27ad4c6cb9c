import ComponentKit
import StageKit

/// The state of a key: a snapshot, or the record of an eviction. Pure.
struct KeyState: Sendable, Equatable {
    /// The entry of the last change.
    var entry: EntryID
    /// The stream of the last change if several streams feed the store, otherwise empty.
    var stream: String
    /// The fields of the snapshot, or `nil` if the key was evicted.
    var fields: [Snapshot.Field]?

    /// Whether the key has a snapshot.
    var isLive: Bool { self.fields != nil }

    /// Returns the snapshot under a key, or `nil` if the key was evicted.
    func snapshot(_ key: [UInt8]) -> Snapshot? {
        self.fields.map { Snapshot(entryID: self.entry, key: key, fields: $0) }
    }
}

/// A request to change a key.
struct ChangeRequest: Sendable {
    /// The entry that requests the change.
    var entry: EntryID
    /// The entry's stream if several streams feed the store, otherwise empty.
    var stream = ""
    /// The newest forgotten eviction of that stream, or `nil` if none was forgotten.
    var floor: EntryID?
    /// Whether the entry is a replayed one and the store may have missed changes after its original.
    var isOfHeldOnly = false

    /// Whether a key that nothing is known of may be changed: an older entry may belong to a forgotten eviction.
    private var isAdmitted: Bool { self.floor.map { self.entry > $0 } ?? true }

    /// Whether a key's last change came from another stream; the ids of two streams cannot be compared.
    private func isForeign(_ held: KeyState) -> Bool {
        !self.stream.isEmpty && !held.stream.isEmpty && held.stream != self.stream
    }

    /// Returns the effect of an upsert on a key.
    ///
    /// - Throws: `StageFailure` if the key came from another stream.
    func upsert(over held: KeyState?, store: String) throws(StageFailure) -> StoreChange {
        guard let held else { return self.isAdmitted && !self.isOfHeldOnly ? .applied : .older }
        if self.isForeign(held) {
            throw StageFailure(StreamRefusal(store: store, held: held.stream, entry: self.stream).description)
        }
        if self.entry > held.entry { return .applied }
        return self.entry == held.entry && held.isLive ? .repeated : .older
    }

    /// Returns the effect of an eviction on a key. An eviction from another stream is applied whatever the ids.
    func evict(over held: KeyState?) -> StoreChange {
        guard let held else { return self.isAdmitted ? .applied : .older }
        if self.isForeign(held) || self.entry > held.entry { return .applied }
        if self.entry < held.entry { return .older }
        return held.isLive ? .applied : .repeated
    }
}
