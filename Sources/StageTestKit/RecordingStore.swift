public import ComponentKit
public import StageKit

/// An in-memory store that records every change in order.
public final class RecordingStore: SnapshotStore {
    /// A change that was made.
    public enum Change: Sendable, Equatable {
        /// A snapshot was stored: its key and its entry.
        case upsert(String, EntryID)
        /// A key was removed: the key and the entry that removed it.
        case evict(String, EntryID)
        /// A writer's batch ended.
        case endBatch
    }

    /// The content under a key: a snapshot, or the fact that it was removed.
    private struct Content {
        var entryID: EntryID
        var snapshot: Snapshot?
    }

    private struct State {
        var contents: [[UInt8]: Content] = [:]
        var changes: [Change] = []
        var prepared: [EntryID] = []
        var refusal: StageFailure?
        var batchError: (any Error)?
    }

    /// The store's name in the file.
    public let name: String
    /// The field whose value is a snapshot's key.
    public let keyField: String
    /// The store's freshness, without an age limit.
    public let freshness: Freshness? = Freshness()
    /// The indexed fields.
    public let indexedFields: [LocatedName]
    private let state = OrderedMutex(State())

    /// Creates an empty store; `index` are the fields by which snapshots are found.
    public init(name: String = "sessions", key: String = "id", index: [String] = []) {
        self.name = name
        self.keyField = key
        self.indexedFields = index.map { LocatedName($0, at: SettingPosition(line: 1, column: 1)) }
    }

    /// Returns a store with the same content and no recorded changes.
    func copy() -> RecordingStore {
        let copy = RecordingStore(name: self.name, key: self.keyField, index: self.indexedFields.map(\.text))
        let held = self.state.withLock(\.self)
        copy.state.withLock { state in
            state = held
            state.changes = []
            state.prepared = []
        }
        return copy
    }

    /// The changes so far, in order.
    public var changes: [Change] { self.state.withLock(\.changes) }

    /// The entries that were passed to `prepare`.
    public var prepared: [EntryID] { self.state.withLock(\.prepared) }

    /// Makes every later change fail with `failure`, or succeed if it is `nil`.
    public func refuse(with failure: StageFailure?) {
        self.state.withLock { $0.refusal = failure }
    }

    /// Makes later ends of batches throw `error`, or succeed if it is `nil`.
    public func failBatches(with error: (any Error)?) {
        self.state.withLock { $0.batchError = error }
    }

    /// Sets whether the store is being filled, and whether with the entries of one stream in order.
    public func setFilling(_ isFilling: Bool, inOrder isInOrder: Bool) {
        self.freshness?.setFilledInOrder(isInOrder)
        self.freshness?.setFilling(isFilling)
    }

    /// Puts a snapshot under its key, without recording a change.
    public func hold(_ snapshot: Snapshot) {
        self.state.withLock { $0.contents[snapshot.key] = Content(entryID: snapshot.entryID, snapshot: snapshot) }
    }
    /// `.process`: the content ends with the test.
    public var retention: StoreRetention { .process }

    /// The number of snapshots.
    public var count: Int { self.state.withLock { $0.contents.values.count { $0.snapshot != nil } } }

    /// Returns the snapshot under a key, or `nil` if there is none.
    public func snapshot(for key: Span<UInt8>) -> Snapshot? {
        let key = [UInt8](copying: key)
        return self.state.withLock { $0.contents[key]?.snapshot }
    }

    /// Calls `body` with every snapshot, in no particular order.
    public func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {
        let snapshots = self.state.withLock { $0.contents.values.compactMap(\.snapshot) }
        try snapshots.forEach(body)
    }

    /// Removes everything but the list of changes.
    public func removeAll() {
        self.state.withLock { $0.contents = [:] }
    }

    /// Creates a writer whose changes are recorded.
    public func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        Writer(store: self, key: key, fields: fields)
    }

    fileprivate func prepare(_ id: EntryID) {
        self.state.withLock { $0.prepared.append(id) }
    }

    fileprivate func endBatch() throws {
        try self.state.withLock { state in
            if let error = state.batchError { throw error }
            state.changes.append(.endBatch)
        }
    }

    /// Replaces the content under a key by a newer one.
    func change(key: [UInt8], id: EntryID, to snapshot: Snapshot?) throws(StageFailure) -> StoreChange {
        try self.state.withLock { (state) throws(StageFailure) in
            if let refusal = state.refusal { throw refusal }
            if let held = state.contents[key] {
                if id < held.entryID { return .older }
                // Removing a snapshot of the same entry is a change; any other change by the same entry is a
                // repetition.
                let takesOut = snapshot == nil && held.snapshot != nil
                if id == held.entryID, !takesOut { return .repeated }
            }
            state.contents[key] = Content(entryID: id, snapshot: snapshot)
            let text = String(decoding: key, as: UTF8.self)
            state.changes.append(snapshot == nil ? .evict(text, id) : .upsert(text, id))
            return .applied
        }
    }

    private final class Writer: SnapshotWriter {
        private let store: RecordingStore
        private let key: FieldID
        private let fields: [(name: String, field: FieldID)]

        init(store: RecordingStore, key: FieldID, fields: [(name: String, field: FieldID)]) {
            self.store = store
            self.key = key
            self.fields = fields
        }

        func prepare(_ event: borrowing Event) {
            self.store.prepare(event.id)
        }

        func upsert(_ event: borrowing Event) throws -> StoreChange {
            let key = try self.bytes(of: self.key, in: event)
            var held: [Snapshot.Field] = []
            for (name, field) in self.fields where event.range(of: field) != nil {
                let bytes = try self.bytes(of: field, in: event)
                held.append(Snapshot.Field(name: name, bytes: bytes, integer: event.integer(of: field)))
            }
            let snapshot = Snapshot(entryID: event.orderID, key: key, fields: held)
            return try self.store.change(key: key, id: event.orderID, to: snapshot)
        }

        func evict(_ event: borrowing Event) throws -> StoreChange {
            try self.store.change(key: self.bytes(of: self.key, in: event), id: event.orderID, to: nil)
        }

        func endBatch() async throws {
            try self.store.endBatch()
        }

        private func bytes(of field: FieldID, in event: borrowing Event) throws(StageFailure) -> [UInt8] {
            guard let range = event.range(of: field) else {
                throw StageFailure("a writer received an event without a key")
            }
            return event.copy(range)
        }
    }
}
