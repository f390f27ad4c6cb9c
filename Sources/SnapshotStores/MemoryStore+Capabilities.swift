public import ComponentKit
public import StageKit
import Synchronization

// What a memory store declares to the parts of a worker that know only `SnapshotStore`.
extension MemoryStore {
    /// The reasons why a worker of a group must not fill the store: gateways would miss revocations.
    public var groupObstacles: [String] {
        var obstacles: [String] = []
        if self.share != nil {
            obstacles.append(
                "share: a worker of a group reads a part of the stream and misses revocations in the rest: remove share, "
                    + "or group from redis_stream")
        }
        if self.isEndedByIndex {
            obstacles.append(
                "a worker of a group reads a part of the stream, so a stage that revokes all matching keys misses those of "
                    + "other workers: remove match from revoke, or group from redis_stream")
        }
        return obstacles
    }

    /// `false` for a shared store: other processes read a mark that is set when a snapshot is stored.
    public var permitsTimeInConditions: Bool { self.share == nil }

    /// The fields of the index, those that stages compare in order to end snapshots, the field of `expires`, and the
    /// fields of the shared file, unless the embedding program fills the store.
    public var namedFields: [NamedFields] {
        let index = self.fieldsOfIndex
        let shared = self.keptFields.isEmpty ? [] : self.share?.settings.listed ?? []
        return [
            NamedFields("stores: \(self.name): index", index.indexed),
            NamedFields("revoke: issued_at", index.compared),
            NamedFields(
                "stores: \(self.name): expires", [self.expiryField].compactMap(\.self), areTimes: true),
            NamedFields("stores: \(self.name): share: fields", shared),
        ]
    }
}

// MARK: Checkpoints

extension MemoryStore: CheckpointedStore {
    /// The names of the fields by number.
    public var recordFields: [String] { self.fieldNames }

    /// The number of shards.
    public var recordParts: Int { self.shardTotal }

    /// Appends a shard's records. Changes wait meanwhile, well under a millisecond with a million snapshots; lookups do
    /// not wait.
    public func appendRecords(ofPart part: Int, fields: Int, to bytes: inout [UInt8]) -> Int {
        self.appendRecords(ofShard: part, to: &bytes, names: fields)
    }

    /// Begins to restore the store.
    public func makeLoader(fields: [String], upTo cursor: EntryID) throws -> any RecordLoading {
        try RecordLoader(self, fields, floor: cursor)
    }
}

// MARK: Lookups of doors

extension MemoryStore: InPlaceStore {
    /// Lines of the tables that one call reads at most, if it finds few keys: some microseconds per sixteen.
    private static let scanLines = 4096

    /// Resolves a condition.
    public func makeProbe(_ condition: ConditionSettings, fields: [String]) -> any SnapshotProbe {
        MemoryProbe(store: self, condition: self.condition(condition), fields: fields.map { self.field($0) })
    }

    /// Resolves a condition of the store's settings.
    public func makeProbe(named name: String, fields: [String]) -> (any SnapshotProbe)? {
        self.condition(named: name).map {
            MemoryProbe(store: self, condition: $0, fields: fields.map { self.field($0) })
        }
    }

    /// Calls `body` with the number and the value of each field of a snapshot.
    public func readFields(of key: Span<UInt8>, _ body: (_ field: Int, _ value: Span<UInt8>) -> Void) -> Bool {
        let isFound: Void? = self.withSnapshot(for: key) { $0.forEachField(body) }
        return isFound != nil
    }

    /// Lists some keys.
    public func scanKeys(from cursor: UInt64, count: Int, _ body: (Span<UInt8>) -> Void) -> UInt64 {
        self.scan(from: cursor, count: count, lines: Self.scanLines, body)
    }
}

/// A condition on the snapshots of a memory store, with the fields to read.
private struct MemoryProbe: SnapshotProbe {
    let store: MemoryStore
    let condition: SnapshotCondition
    let fields: [SnapshotField]

    func check(_ key: Span<UInt8>, _ body: (Span<UInt8>?) -> Void) -> Bool? {
        if self.fields.isEmpty { return self.store.check(key, self.condition) }
        return self.store.withSnapshot(for: key) { (snapshot) -> Bool in
            guard snapshot.meets(self.condition) else { return false }
            for field in self.fields { snapshot.withValue(of: field) { body($0) } }
            return true
        }
    }
}
