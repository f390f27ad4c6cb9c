import StageKit

/// The position of an indexed field, and its number in records.
struct EndedField: Sendable {
    /// The position among the indexed fields.
    let position: Int
    /// The number of the name.
    let number: UInt8
}

/// The decision whether an event ends a snapshot whose value it names.
struct EndRule: Sendable {
    /// The event's entry.
    let entry: EntryID
    /// The stream of the entry.
    let stream: Int
    /// The time from which on a snapshot must have been issued to remain, or `nil` if it does not matter.
    let issuedBefore: Int64?
    /// The field with the time of issue, or `nil` for the time in the entry's id.
    let issuedAt: UInt8?

    /// Whether the event ends a complete live record; ids of a record from a foreign stream are not compared.
    ///
    /// In doubt a session is ended: if its time of issue is missing or unreadable, it cannot be shown to be later.
    func ends(_ record: PackedRecord, isForeign: Bool) -> Bool {
        guard isForeign || record.entryID < self.entry else { return false }
        guard let issuedBefore = self.issuedBefore else { return true }
        guard let issuedAt = self.issuedAt else {
            return Int64(clamping: record.entryID.milliseconds) < issuedBefore
        }
        return switch record.time(of: issuedAt) {
        case .milliseconds(let time): time < issuedBefore
        case .missing, .unreadable: true
        }
    }
}

/// Ends snapshots of a memory store: see `SnapshotEnder`.
final class MemoryStoreEnder: SnapshotEnder {
    private let store: MemoryStore
    private let field: EndedField
    private let issuedAt: UInt8?
    private let number: Int
    /// Packs traces only, which have a key and no fields.
    private let draft: RecordDraft

    private var rule: EndRule?
    private var value: [UInt8] = []
    /// The hashes of the keys that had the value when the event began, and the index of the next one. Snapshots that are
    /// stored later are newer than the event.
    private var keys: [UInt64] = []
    private var next = 0

    /// Creates an ender with a number of its own.
    init(_ store: MemoryStore, _ field: EndedField, issuedAt: UInt8?, ender number: Int) {
        self.store = store
        self.field = field
        self.issuedAt = issuedAt
        self.number = number
        self.draft = RecordDraft(
            RecordColumns(key: FieldID(index: 0), fields: []), limit: store.maxRecordBytes)
    }

    /// Finds the snapshots that an event ends.
    func begin(_ event: borrowing Event, value: ByteRange, issuedBefore: FieldID?) throws {
        var rule = EndRule(
            entry: event.orderID, stream: event.streamIndex, issuedBefore: nil, issuedAt: self.issuedAt)
        if let issuedBefore {
            rule = EndRule(
                entry: rule.entry, stream: rule.stream, issuedBefore: try Self.time(of: issuedBefore, event),
                issuedAt: self.issuedAt)
        }
        self.rule = rule
        self.value = event.withBytes(value) { [UInt8](copying: $0) }
        let hash = self.store.hasher.hash(self.value.span)
        let position = self.field.position
        self.keys = self.store.changes.withLock { state in
            state.index?.ended.add(rule.entry, of: rule.stream, value: hash, field: position)
            return state.index?.values[position].keys(under: hash).hashes ?? []
        }
        self.next = 0
    }

    /// Ends further snapshots. The limit of bytes can be exceeded by those of `MemoryStore.indexedAtOnce` snapshots.
    func end(_ limit: inout IndexLimit, _ body: (Span<UInt8>) -> Void) -> Bool {
        guard let rule = self.rule else { return true }
        while self.next < self.keys.count {
            if limit.count <= 0 || limit.bytes <= 0 { return false }
            let end = Swift.min(self.keys.count, self.next + Swift.min(MemoryStore.indexedAtOnce, limit.count))
            let ended = self.end(self.keys[self.next..<end], rule)
            self.next = end
            for record in ended {
                self.store.feed?.changed(record.key.span)
                body(record.key.span)
                limit.bytes -= record.record.withRecord { $0.size }
            }
            limit.count -= ended.count
        }
        self.rule = nil
        self.keys = []
        return true
    }

    /// Confirms that all snapshots ended so far were announced.
    func announced() {
        let number = self.number
        self.store.changes.withLock { $0.index?.announced(number) }
    }

    private func end(_ keys: ArraySlice<UInt64>, _ rule: EndRule) -> [EndedSnapshot] {
        let (store, field, value, number, draft) = (self.store, self.field, self.value, self.number, self.draft)
        return store.changes.withLock { state in
            let streams = state.streams
            var found: [EndedSnapshot] = []
            for key in keys {
                let shard = store.shards.index(of: key)
                store.forEachRecord(key, field.number, equal: value.span) { record in
                    guard rule.ends(record, isForeign: streams?.isForeign(record, to: rule.stream) ?? false) else {
                        return
                    }
                    found.append(
                        EndedSnapshot(
                            key: unsafe [UInt8](record.unsafeBytes(record.keyRange)), entry: record.entryID,
                            shard: shard, record: RecordClone(record)))
                }
            }
            // In the order of their entries, which does not depend on the hashes as the order of keys does.
            found.sort { $0.entry == $1.entry ? $0.key.lexicographicallyPrecedes($1.key) : $0.entry < $1.entry }
            return found.filter { record in
                let change = store.evict(rule.entry, of: rule.stream, key: record.key.span, draft, &state)
                if change == .applied { state.index?.keep(record, of: number) }
                return change == .applied
            }
        }
    }

    private static func time(of field: FieldID, _ event: borrowing Event) throws(StageFailure) -> Int64 {
        if let integer = event.integer(of: field) { return integer }
        if case .timestamp(let seconds, let nanoseconds)? = event.typedValue(of: field) {
            return seconds * 1000 + Int64(nanoseconds) / 1_000_000
        }
        let time = event.withValue(of: field) { (value) -> ExpiryRule.FieldTime in
            guard let value else { return .missing }
            return ExpiryRule.FieldTime(text: value)
        }
        if case .milliseconds(let time) = time { return time }
        throw StageFailure("not a time: expected milliseconds since 1970, or a timestamp of RFC 3339")
    }
}
