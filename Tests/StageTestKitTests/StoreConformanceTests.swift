import ComponentKit
import StageKit
import StageTestKit
import Testing

/// A store with one fault, which the check must find.
final class FaultyStore: SnapshotStore {
    enum Fault: CaseIterable, Sendable {
        case none, takesOlder, takesOlderAfterEviction, losesContentAtBatchEnd, listsTwice, countsEvictions, remembers
        case dropsNumbers, repeatsNothing
    }

    struct Record: Sendable {
        var entry: EntryID
        var fields: [Snapshot.Field]?
    }

    let name = "faulty"
    let keyField = "id"
    let freshness: Freshness? = Freshness()
    let retention = StoreRetention.process
    let fault: Fault
    private let records = OrderedMutex<[[UInt8]: Record]>([:])

    init(_ fault: Fault) { self.fault = fault }

    var count: Int {
        self.records.withLock { $0.values.count { $0.fields != nil || self.fault == .countsEvictions } }
    }

    func snapshot(for key: Span<UInt8>) -> Snapshot? {
        let key = [UInt8](copying: key)
        return self.records.withLock { records in
            guard let record = records[key], let fields = record.fields else { return nil }
            return Snapshot(entryID: record.entry, key: key, fields: fields)
        }
    }

    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {
        let keys = self.records.withLock { Array($0.keys) }
        for key in keys {
            guard let snapshot = self.snapshot(for: key.span) else { continue }
            try body(snapshot)
            if self.fault == .listsTwice { try body(snapshot) }
        }
    }

    func removeAll() {
        self.records.withLock { records in
            if self.fault == .remembers {
                for key in records.keys { records[key]?.fields = nil }
            } else {
                records = [:]
            }
        }
    }

    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        Writer(store: self, key: key, fields: fields)
    }

    fileprivate func change(_ key: [UInt8], _ entry: EntryID, _ fields: [Snapshot.Field]?) -> StoreChange {
        self.records.withLock { records in
            if let held = records[key] {
                let isForgotten = self.fault == .takesOlderAfterEviction && held.fields == nil
                if entry < held.entry, self.fault != .takesOlder, !isForgotten { return .older }
                let isSameKind = (held.fields == nil) == (fields == nil)
                if entry == held.entry, isSameKind { return self.fault == .repeatsNothing ? .applied : .repeated }
                if entry == held.entry, fields != nil { return .older }
            }
            records[key] = Record(entry: entry, fields: fields)
            return .applied
        }
    }

    fileprivate func endBatch() {
        if self.fault == .losesContentAtBatchEnd { self.records.withLock { $0 = [:] } }
    }

    private final class Writer: SnapshotWriter {
        let store: FaultyStore
        let key: FieldID
        let fields: [(name: String, field: FieldID)]

        init(store: FaultyStore, key: FieldID, fields: [(name: String, field: FieldID)]) {
            self.store = store
            self.key = key
            self.fields = fields
        }

        private func bytes(_ field: FieldID, _ event: borrowing Event) -> [UInt8]? {
            event.withValue(of: field) { value -> [UInt8]? in
                guard let value else { return nil }
                return [UInt8](copying: value)
            }
        }

        func prepare(_ event: borrowing Event) {}

        func upsert(_ event: borrowing Event) throws -> StoreChange {
            var held: [Snapshot.Field] = []
            for (name, field) in self.fields {
                guard let bytes = self.bytes(field, event) else { continue }
                let number = self.store.fault == .dropsNumbers ? nil : event.integer(of: field)
                held.append(Snapshot.Field(name: name, bytes: bytes, integer: number))
            }
            return self.store.change(self.bytes(self.key, event) ?? [], event.orderID, held)
        }

        func evict(_ event: borrowing Event) throws -> StoreChange {
            self.store.change(self.bytes(self.key, event) ?? [], event.orderID, nil)
        }

        func endBatch() async throws { self.store.endBatch() }
    }
}

@Suite struct StoreConformanceTests {
    @Test(arguments: FaultyStore.Fault.allCases)
    func `Each fault of a store is found, and a right store has none`(fault: FaultyStore.Fault) async {
        let violations = await StoreConformance.check(FaultyStore(fault))
        #expect(violations.isEmpty == (fault == .none), "\(violations)")
    }

    @Test func `The recording store keeps the contract`() async {
        #expect(await StoreConformance.check(RecordingStore()) == [])
    }
}

/// A source with one fault, which the check must find.
final class FaultySource: EventSource {
    enum Fault: CaseIterable, Sendable {
        case none, advancesEarly, swallowsErrors, repeatsIDs, neverStopped, namesNoStream
    }

    let stream = "faulty"
    let fault: Fault
    private let state = OrderedMutex((status: SourceStatus(), isStopped: false))

    init(_ fault: Fault) { self.fault = fault }

    var status: SourceStatus { self.state.withLock { $0.status } }

    func stop() { self.state.withLock { $0.isStopped = true } }

    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        self.state.withLock { $0.status.state = .reading }
        let batch = EventBatch()
        if self.fault != .namesNoStream { batch.stream = self.stream }
        for number in 1...100 where !self.state.withLock({ $0.isStopped }) {
            let id = EntryID(milliseconds: self.fault == .repeatsIDs ? 1 : UInt64(number), sequence: 0)
            batch.removeAll()
            batch.append(id: id, fields: [])
            if self.fault == .advancesEarly { self.state.withLock { $0.status.cursor = id } }
            do {
                try await deliver(batch)
            } catch {
                if self.fault != .swallowsErrors { throw error }
            }
            self.state.withLock { $0.status.cursor = id }
        }
        if self.fault != .neverStopped { self.state.withLock { $0.status.state = .stopped } }
    }
}

@Suite struct SourceConformanceTests {
    @Test(arguments: FaultySource.Fault.allCases)
    func `Each fault of a source is found, and a right source has none`(fault: FaultySource.Fault) async {
        let violations = await SourceConformance.check { FaultySource(fault) }
        #expect(violations.isEmpty == (fault == .none), "\(violations)")
    }

    @Test func `The memory source keeps the contract`() async {
        let entries = (1...5).map { MemorySource.Entry($0, ["id": "a"]) }
        #expect(await SourceConformance.check { MemorySource(entries: entries, batchSize: 2) } == [])
    }
}
