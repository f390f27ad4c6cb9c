import ComponentKit
import CoreMetrics
import EvictStage
import Logging
import SnapshotStores
import StageKit
import UpsertStage

/// A worker's store, changed by entries as the shipped graph would, by its stages: a session's snapshot, or none where it is
/// malformed.
final class SimulatedStore {
    /// The real store, small.
    let store = MemoryStore(name: "sessions", keyField: "session", evictions: 64, shards: 1)

    /// How new what it holds is.
    var freshness: Freshness? { self.store.freshness }

    private static let key = FieldID(index: 0)
    private static let serial = FieldID(index: 1)
    private static let state = FieldID(index: 2)

    private let bug: PlantedBug?
    private let view: SharedView
    private let upsert: any Stage
    private let evict: any Stage
    /// For bugs that go around the stages.
    private let writer: any SnapshotWriter
    private let serialField: SnapshotField
    private let isActive: SnapshotCondition
    private let batch = EventBatch()

    /// An empty store with a bug, or none.
    init(_ bug: PlantedBug?) {
        self.bug = bug
        self.view = SharedView(self.store)
        self.upsert = Self.stage(StageType(UpsertStage.self), ["store": "sessions"], self.view)
        self.evict = Self.stage(StageType(EvictStage.self), ["store": "sessions", "key": "session"], self.view)
        self.writer = self.store.makeWriter(
            key: Self.key, fields: [("session", Self.key), ("serial", Self.serial), ("state", Self.state)])
        self.serialField = self.store.field("serial")
        self.isActive = self.store.condition("state", equals: "active")
    }

    /// A stage of the shipped graph.
    private static func stage(_ type: StageType, _ settings: [String: String], _ store: SharedView) -> any Stage {
        let position = SettingPosition(line: 1, column: 1)
        let names = GraphNames()
        // In the order of the columns.
        let fields = ["session", "serial", "state"]
        for field in fields { _ = names.provide(field) }
        let setup = StageSetup(
            pipeline: "simulation", stage: type.name, position: position,
            logger: Logger(label: "simulator") { _ in SwiftLogNoOpLogHandler() }, metrics: NOOPMetricsHandler.instance,
            revocationHandler: nil, names: names, scope: FieldScope(fields: fields), stores: [store.name: store])
        let entries = settings.sorted { $0.key < $1.key }.map { name, value in
            SettingNode.Pair(
                key: name, position: position, value: SettingNode(.scalar(value, isPlain: true), at: position))
        }
        guard let stage = type.make(SettingNode(.mapping(entries), at: position), setup), setup.issues.all.isEmpty
        else {
            preconditionFailure("the stage cannot be made: \(setup.issues.all)")
        }
        return stage
    }

    /// The key of a session.
    static func name(_ session: Int) -> [UInt8] { [UInt8(ascii: "a") + UInt8(session)] }

    /// Applies one entry under an id; whether the event goes on to the next stage.
    ///
    /// - Parameters:
    ///   - held: What the store should hold, for the bugs.
    ///   - finishedUpTo: What the source knows to be finished.
    ///   - isOvertaken: Whether another worker that shares the store is ahead with the key.
    func apply(
        _ entry: ModelEntry, as id: EntryID, held: [Held?], finishedUpTo: EntryID?, isOvertaken: Bool
    ) throws -> Bool {
        self.view.isOvertaken = isOvertaken
        if entry.state == .malformed {
            if self.bug == .evictionForgotten {
                try self.evictWithoutTrace(entry.session, held)
                return true
            }
            return try self.with(entry, id, finishedUpTo) { try self.evict.process(&$0) == .next }
        }
        var id = id
        if self.bug == .olderOverwrites, let newer = held[entry.session]?.id, newer > id {
            id = EntryID(milliseconds: newer.milliseconds, sequence: newer.sequence + 1)
        }
        return try self.with(entry, id, finishedUpTo) { event in
            let verdict = try self.upsert.process(&event)
            if self.bug == .endsAtTheStore, event.settled != nil { return false }
            return verdict == .next
        }
    }

    /// Whether the store holds exactly this, for a session.
    func holds(_ held: Held?, _ session: Int) -> Bool {
        let key = Self.name(session)
        guard let held, held.state != .malformed else {
            return self.store.withSnapshot(for: key.span) { _ in true } == nil
        }
        let serial = Array(String(held.serial).utf8)
        return self.store.withSnapshot(for: key.span) { view in
            view.entryID == held.id && view.value(of: self.serialField, equals: serial.span)
        } ?? false
    }

    /// What the store holds of a session: the entry's id and its number.
    func found(_ session: Int) -> (id: EntryID, serial: Int)? {
        self.store.snapshot(for: Self.name(session).span).flatMap { snapshot in
            snapshot["serial"].flatMap { Int($0) }.map { (snapshot.entryID, $0) }
        }
    }

    private func with<R>(
        _ entry: ModelEntry, _ id: EntryID, _ finishedUpTo: EntryID? = nil, _ body: (inout Event) throws -> R
    ) rethrows -> R {
        self.batch.removeAll()
        self.batch.appendEntry(id)
        self.batch.finishedUpTo = finishedUpTo
        self.batch.prepareCells(fieldCount: 3)
        return try self.batch.withEvent(at: 0) { event in
            event.set(Self.key, copying: Self.name(entry.session))
            event.set(Self.serial, copying: Array(String(entry.serial).utf8))
            event.set(Self.state, copying: Array((entry.state == .active ? "active" : "revoked").utf8))
            return try body(&event)
        }
    }

    /// The bug: everything is put into an empty store again, but the session.
    private func evictWithoutTrace(_ session: Int, _ held: [Held?]) throws {
        self.store.removeAll()
        for (other, held) in held.enumerated() where other != session {
            guard let held, held.state != .malformed else { continue }
            let entry = ModelEntry(id: held.id, session: other, state: held.state, serial: held.serial)
            _ = try self.with(entry, held.id) { event in try self.writer.upsert(event) }
        }
    }
}
