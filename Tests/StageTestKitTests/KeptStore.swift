import ComponentKit
import StageKit
import StageTestKit

/// Breaches of the contract of stores, one at a time.
enum StoreFault: CaseIterable, Sendable {
    case none
    // A store that keeps its content itself.
    case losesContent, forgetsEvictions, keepsOnlyValues, emptiesInMake
    case hidesSweeping, hidesStreams, namesNoFields, remembersFields
    case listsRestored, listsNoEvictions, namesWrongEviction
    case sweepsAll, sweepsNothing, remembersSweeps
    case comparesStreams, refusesForeignEvictions, ignoresHistory, appliesHistoryToAll
    // A store that a checkpoint saves.
    case hidesCheckpoints, declaresProcess, remains
    case ignoresCursor, losesRecords, miscounts, returnsNoCount, acceptsDamage, ignoresRange, replacesBytes
    case forgetsEntries

    static let ofCheckpoints: [StoreFault] = [
        .hidesCheckpoints, .declaresProcess, .remains, .ignoresCursor, .losesRecords, .miscounts, .returnsNoCount,
        .acceptsDamage, .ignoresRange, .replacesBytes, .forgetsEntries,
    ]
}

/// The last change of a key.
struct KeptChange: Sendable {
    var entry: EntryID
    var stream: Int
    var fields: [Snapshot.Field]?
}

/// A place that outlives stores.
final class Disk: Sendable {
    let keys = OrderedMutex<[[UInt8]: KeptChange]>([:])
}

/// The keys of a store, with the rules of changes and one fault.
final class KeptContent: Sendable {
    struct State {
        var keys: [[UInt8]: KeptChange] = [:]
        var streams = 1
        var history: EntryID?
        var floor: EntryID?
        var kept: Set<String> = []
    }

    let fault: StoreFault
    let state = OrderedMutex(State())

    init(_ fault: StoreFault) {
        self.fault = fault
    }

    var count: Int { self.state.withLock { state in state.keys.values.count { $0.fields != nil } } }

    func snapshot(_ key: Span<UInt8>) -> Snapshot? {
        let key = key.indices.map { key[$0] }
        return self.state.withLock { Self.snapshot(key, $0.keys[key]) }
    }

    private static func snapshot(_ key: [UInt8], _ change: KeptChange?) -> Snapshot? {
        guard let change, let fields = change.fields else { return nil }
        return Snapshot(entryID: change.entry, key: key, fields: fields)
    }

    var snapshots: [Snapshot] { self.state.withLock { $0.keys.compactMap { Self.snapshot($0.key, $0.value) } } }

    func removeAll() {
        self.state.withLock { state in
            state.keys = [:]
            state.floor = nil
        }
    }

    func change(_ key: [UInt8], _ event: borrowing Event, _ fields: [Snapshot.Field]?) throws -> StoreChange {
        let new = KeptChange(entry: event.orderID, stream: event.streamIndex, fields: fields)
        let isReplayed = event.isReplayed || self.fault == .appliesHistoryToAll
        return try self.state.withLock { (state) throws -> StoreChange in
            if let held = state.keys[key] {
                if state.streams > 1, held.stream != new.stream, self.fault != .comparesStreams {
                    if fields != nil { throw StageFailure("another stream") }
                    if self.fault == .refusesForeignEvictions { return .older }
                    state.keys[key] = new
                    return .applied
                }
                if new.entry < held.entry { return .older }
                if new.entry == held.entry {
                    if (held.fields == nil) == (fields == nil) { return .repeated }
                    if fields != nil { return .older }
                }
            } else {
                if let floor = state.floor, new.entry <= floor { return .older }
                if fields != nil, isReplayed, let history = state.history, new.entry <= history { return .older }
            }
            state.keys[key] = new
            return .applied
        }
    }

    func makeWriter(
        _ key: FieldID, _ fields: [(name: String, field: FieldID)], endBatch: @escaping () -> Void
    ) -> any SnapshotWriter {
        self.state.withLock { $0.kept.formUnion(fields.map(\.name)) }
        return Writer(self, key, fields, endBatch)
    }

    private final class Writer: SnapshotWriter {
        let content: KeptContent
        let key: FieldID
        let fields: [(name: String, field: FieldID)]
        let end: () -> Void

        init(
            _ content: KeptContent, _ key: FieldID, _ fields: [(name: String, field: FieldID)],
            _ end: @escaping () -> Void
        ) {
            self.content = content
            self.key = key
            self.fields = fields
            self.end = end
        }

        private func bytes(_ field: FieldID, _ event: borrowing Event) -> [UInt8]? {
            event.withValue(of: field) { value -> [UInt8]? in
                guard let value else { return nil }
                return value.indices.map { value[$0] }
            }
        }

        func prepare(_ event: borrowing Event) {}

        func upsert(_ event: borrowing Event) throws -> StoreChange {
            var held: [Snapshot.Field] = []
            for (name, field) in self.fields {
                guard let bytes = self.bytes(field, event) else { continue }
                held.append(Snapshot.Field(name: name, bytes: bytes, integer: event.integer(of: field)))
            }
            return try self.content.change(self.bytes(self.key, event) ?? [], event, held)
        }

        func evict(_ event: borrowing Event) throws -> StoreChange {
            try self.content.change(self.bytes(self.key, event) ?? [], event, nil)
        }

        func endBatch() async throws { self.end() }
    }
}

/// A store that keeps its content on a disk.
final class KeptStore: SweepingStore, StreamFedStore, ConditionalStore, PublishedSnapshotStore {
    let name = "kept"
    let keyField = "id"
    let freshness: Freshness? = Freshness()
    let conditions: [NamedSetting<ConditionSettings>] = []
    let retention = StoreRetention.own
    private let disk: Disk
    private let content: KeptContent

    init(_ disk: Disk, _ fault: StoreFault) {
        self.disk = disk
        self.content = KeptContent(fault)
        if fault == .emptiesInMake { disk.keys.withLock { $0 = [:] } }
    }

    private var fault: StoreFault { self.content.fault }
    var sweeping: (any SweepingStore)? { self.fault == .hidesSweeping ? nil : self }
    var streamFed: (any StreamFedStore)? { self.fault == .hidesStreams ? nil : self }
    var count: Int { self.content.count }
    var keptFields: [String] {
        self.fault == .namesNoFields ? [] : self.content.state.withLock { $0.kept.sorted() }
    }

    func prepareForGraph() {
        if self.fault != .remembersFields { self.content.state.withLock { $0.kept = [] } }
    }

    func open() throws {
        if self.fault == .losesContent { return }
        var keys = self.disk.keys.withLock { $0 }
        if self.fault == .forgetsEvictions { keys = keys.filter { $0.value.fields != nil } }
        if self.fault == .keepsOnlyValues {
            for key in keys.keys { keys[key]?.entry = .zero }
        }
        self.content.state.withLock { [keys] in $0.keys = keys }
    }

    func shutDown() async {}
    func setStreams(_ names: [String]) { self.content.state.withLock { $0.streams = names.count } }

    func setHistoryStart(_ entry: EntryID, of stream: Int) {
        if self.fault != .ignoresHistory { self.content.state.withLock { $0.history = entry } }
    }

    func snapshot(for key: Span<UInt8>) -> Snapshot? { self.content.snapshot(key) }
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows { try self.content.snapshots.forEach(body) }

    func evictingEntry(for key: Span<UInt8>) -> EntryID? {
        let key = key.indices.map { key[$0] }
        guard let change = self.content.state.withLock({ $0.keys[key] }), change.fields == nil else { return nil }
        return self.fault == .namesWrongEviction ? .zero : change.entry
    }

    func forEachEvictedKey(_ body: (_ key: [UInt8], _ entry: EntryID) throws -> Void) rethrows {
        if self.fault == .listsNoEvictions { return }
        for (key, change) in self.content.state.withLock(\.keys)
        where change.fields == nil || self.fault == .listsRestored {
            try body(key, change.entry)
        }
    }

    func removeAll() { self.content.removeAll() }
    func finishRemoval() async throws { self.disk.keys.withLock { $0 = [:] } }

    func removeSnapshots(before entry: EntryID) {
        if self.fault == .sweepsNothing { return }
        self.content.state.withLock { state in
            for (key, change) in state.keys where change.fields != nil {
                guard change.entry < entry || self.fault == .sweepsAll else { continue }
                if self.fault == .remembersSweeps { state.keys[key]?.fields = nil } else { state.keys[key] = nil }
            }
        }
    }

    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        self.content.makeWriter(key, fields) {
            let keys = self.content.state.withLock(\.keys)
            self.disk.keys.withLock { $0 = keys }
        }
    }
}

/// A store that a checkpoint saves. A record has the entry's milliseconds, the key and the value, each in a byte or
/// preceded by its number of bytes.
final class SavedStore: CheckpointedStore {
    let name = "saved"
    let keyField = "id"
    let freshness: Freshness? = Freshness()
    let recordParts = 2
    let recordFields = ["id", "value"]
    private let content: KeptContent
    private let disk: Disk

    init(_ disk: Disk, _ fault: StoreFault) {
        self.disk = disk
        self.content = KeptContent(fault)
        if fault == .remains { self.content.state.withLock { [keys = disk.keys.withLock { $0 }] in $0.keys = keys } }
    }

    private var fault: StoreFault { self.content.fault }
    var retention: StoreRetention { self.fault == .declaresProcess ? .process : .checkpoint }
    var checkpointed: (any CheckpointedStore)? { self.fault == .hidesCheckpoints ? nil : self }
    var count: Int { self.content.count }
    func snapshot(for key: Span<UInt8>) -> Snapshot? { self.content.snapshot(key) }
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows { try self.content.snapshots.forEach(body) }
    func removeAll() { self.content.removeAll() }

    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        self.content.makeWriter(key, fields) {
            let keys = self.content.state.withLock(\.keys)
            self.disk.keys.withLock { $0 = keys }
        }
    }

    func appendRecords(ofPart part: Int, fields: Int, to bytes: inout [UInt8]) -> Int {
        if self.fault == .replacesBytes { bytes = [] }
        if part == 1 || self.fault == .losesRecords { return 0 }
        let snapshots = self.content.snapshots
        for snapshot in snapshots {
            let value = Array((snapshot["value"] ?? "").utf8)
            let entry = self.fault == .forgetsEntries ? 0 : UInt8(truncatingIfNeeded: snapshot.entryID.milliseconds)
            let record = [entry, UInt8(snapshot.key.count)] + snapshot.key + [UInt8(value.count)] + value
            bytes += [UInt8(record.count), 0, 0, 0] + record
        }
        return snapshots.count + (self.fault == .miscounts ? 1 : 0)
    }

    func makeLoader(fields: [String], upTo cursor: EntryID) throws -> any RecordLoading {
        if self.fault != .ignoresCursor { self.content.state.withLock { $0.floor = cursor } }
        return Loader(content: self.content)
    }

    private struct Loader: RecordLoading {
        let content: KeptContent

        func load(_ bytes: [UInt8], in range: Range<Int>) throws -> Int {
            let part = self.content.fault == .ignoresRange ? bytes[...] : bytes[range]
            var rest = part
            var count = 0
            while !rest.isEmpty {
                guard rest.count >= 4, let size = rest.first.map(Int.init), rest.dropFirst(4).count >= size else {
                    if self.content.fault == .acceptsDamage { return count }
                    throw CheckpointFailure("a record is cut off")
                }
                try self.load(rest.dropFirst(4).prefix(size))
                rest = rest.dropFirst(4 + size)
                count += 1
            }
            return self.content.fault == .returnsNoCount ? 0 : count
        }

        private func load(_ record: ArraySlice<UInt8>) throws {
            var rest = record
            guard let entry = rest.popFirst(), let key = Self.text(&rest), let value = Self.text(&rest), rest.isEmpty
            else { throw CheckpointFailure("a malformed record") }
            let fields = [Snapshot.Field(name: "id", bytes: key), Snapshot.Field(name: "value", bytes: value)]
            let change = KeptChange(
                entry: EntryID(milliseconds: UInt64(entry), sequence: 0), stream: 0, fields: fields)
            self.content.state.withLock { $0.keys[key] = change }
        }

        private static func text(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
            guard let count = rest.popFirst(), rest.count >= Int(count) else { return nil }
            defer { rest = rest.dropFirst(Int(count)) }
            return Array(rest.prefix(Int(count)))
        }
    }
}
