public import ComponentKit
public import StageKit

/// Checks the contract of stores that answer lookups in their own process, which is documented at `SnapshotStore` and
/// `SnapshotWriter`.
public enum StoreConformance {
    /// Checks a store type against the contract.
    ///
    /// - Parameters:
    ///   - type: The store type.
    ///   - settings: Valid settings, with room for a hundred snapshots. The store must be empty; a store that outlives
    ///     the worker is empty again afterwards.
    /// - Returns: The violations, one sentence each; empty if there are none.
    public static func check(_ type: StoreType, _ settings: SettingNode) async -> [String] {
        func make() throws -> any SnapshotStore {
            let setup = ComponentSetup.fixture("checked")
            return try setup.made(type.make(settings, setup))
        }
        let name: String
        do {
            name = try make().name
        } catch {
            return ["valid settings are refused: \(error)"]
        }
        let violations = await self.check(make)
        return name == "checked" ? violations : ["the store's name is \"\(name)\", not setup.name"] + violations
    }

    /// Checks the stores that `make` returns: a new one for each call, with the same settings, as in each run of a
    /// worker. The first one is checked like a single store, the others after a restart and with several streams.
    public static func check(_ make: () throws -> any SnapshotStore) async -> [String] {
        do {
            let first = try make()
            var violations = await self.check(first)
            if first.remote == nil {
                violations += try await RestartCheck.violations(make)
                violations += try await StreamsCheck.violations(make)
            }
            return violations
        } catch {
            return ["the store fails: \(error)"]
        }
    }

    /// Checks a single empty store, which is opened before and shut down after the check. This checks no
    /// restart.
    public static func check(_ store: any SnapshotStore) async -> [String] {
        await self.check(store, patience: .seconds(60))
    }

    /// Checks a single store.
    ///
    /// - Parameter patience: How long another thread may take for a lookup and a change while the store is listed.
    static func check(_ store: any SnapshotStore, patience: Duration) async -> [String] {
        if store.remote != nil { return ["a store on a server cannot be checked: its lookups are asynchronous"] }
        do {
            try store.published?.open()
            let check = StoreCheck(store)
            for scenario in StoreScenario.all {
                for mode in StoreCheck.Mode.allCases { try await check.run(scenario, mode) }
            }
            try await check.content()
            try await check.listing(patience)
            try await check.capabilities()
            try await check.removal()
            await store.published?.shutDown()
            return check.violations
        } catch {
            return ["the store fails: \(error)"]
        }
    }
}

/// Changes of one key, with the effects that a store must report.
struct StoreScenario: Sendable {
    /// A change.
    enum Change: Sendable {
        /// Stores a snapshot with this value.
        case upsert(String)
        /// Removes the snapshot.
        case evict
    }

    /// A change by an entry, and the results that a store may return.
    struct Step: Sendable {
        var change: Change
        var entry: UInt64
        var results: [StoreChange]
    }

    /// What the store has to do.
    let rule: String
    /// The changes, in order.
    let steps: [Step]
    /// The value of the key at the end, or `nil` if there must be no snapshot.
    let value: String?

    private static func upsert(_ value: String, _ entry: UInt64, _ results: StoreChange...) -> Step {
        Step(change: .upsert(value), entry: entry, results: results)
    }

    private static func evict(_ entry: UInt64, _ results: StoreChange...) -> Step {
        Step(change: .evict, entry: entry, results: results)
    }

    /// The rules of applying changes.
    static let all = [
        StoreScenario(
            rule: "a newer entry replaces the snapshot",
            steps: [upsert("a", 2, .applied), upsert("b", 3, .applied)], value: "b"),
        StoreScenario(
            rule: "an older entry changes nothing",
            steps: [upsert("b", 3, .applied), upsert("a", 2, .older)], value: "b"),
        StoreScenario(
            rule: "the same entry changes nothing",
            steps: [upsert("a", 2, .applied), upsert("b", 2, .repeated)], value: "a"),
        StoreScenario(
            rule: "an eviction removes the snapshot",
            steps: [upsert("a", 2, .applied), evict(3, .applied)], value: nil),
        StoreScenario(
            rule: "an eviction by an older entry changes nothing",
            steps: [upsert("a", 3, .applied), evict(2, .older)], value: "a"),
        StoreScenario(
            rule: "an eviction by the entry of the snapshot removes it",
            steps: [upsert("a", 2, .applied), evict(2, .applied)], value: nil),
        StoreScenario(
            rule: "an eviction is repeated if its entry is read again",
            steps: [evict(3, .applied), evict(3, .repeated)], value: nil),
        StoreScenario(
            rule: "no older entry restores an evicted key",
            steps: [upsert("a", 2, .applied), evict(4, .applied), upsert("b", 3, .older)], value: nil),
        StoreScenario(
            rule: "the evicting entry does not restore the key",
            steps: [evict(4, .applied), upsert("a", 4, .older, .repeated)], value: nil),
        StoreScenario(
            rule: "a key that the store does not hold can be evicted",
            steps: [evict(4, .applied), upsert("a", 3, .older)], value: nil),
        StoreScenario(
            rule: "a newer entry stores an evicted key again",
            steps: [upsert("a", 2, .applied), evict(3, .applied), upsert("b", 4, .applied)], value: "b"),
    ]
}

/// The check of one store. Used by one task.
final class StoreCheck {
    /// The distribution of changes over batches.
    enum Mode: String, CaseIterable {
        /// All changes are in one batch.
        case together = "in one batch"
        /// Each change is in a batch of its own.
        case apart = "in a batch each"
    }

    /// The store.
    let store: any SnapshotStore
    /// The writers of the store, as two stages have them.
    let writing: StoreWriting
    private var next = 0
    /// The violations so far.
    private(set) var violations: [String] = []

    /// Creates a check with a writer for upserts and one for evictions, as two stages have.
    init(_ store: any SnapshotStore) {
        self.store = store
        // The first writer is that of another graph, whose fields the store forgets.
        _ = StoreWriting(store)
        store.prepareForGraph()
        let forgotten = store.conditional?.keptFields ?? []
        self.writing = StoreWriting(store)
        self.expect(forgotten.isEmpty, "keptFields is \(forgotten) after prepareForGraph")
        if let kept = store.conditional?.keptFields {
            let names = StoreWriting.names(store).sorted()
            self.expect(kept == names, "keptFields is \(kept), not the fields of the writers, sorted: \(names)")
        }
    }

    /// Records a violation, unless the condition holds.
    func expect(_ holds: Bool, _ violation: @autoclosure () -> String) {
        if !holds { self.violations.append(violation()) }
    }

    /// Returns a key that no earlier check has used.
    func newKey() -> [UInt8] {
        self.next += 1
        return Array("key-\(self.next)".utf8)
    }

    /// Makes the changes of a scenario on a key of its own.
    func run(_ scenario: StoreScenario, _ mode: Mode) async throws {
        let key = self.newKey()
        let what = "\(scenario.rule) (\(mode.rawValue))"
        for (index, step) in scenario.steps.enumerated() {
            let value = if case .upsert(let text) = step.change { Array(text.utf8) } else { [UInt8]() }
            let result = try self.writing.change(step.change, key, step.entry, [(value, nil)])
            self.expect(
                step.results.contains(result), "\(what): step \(index + 1) returns \(result), not \(step.results[0])")
            self.expect(
                index + 1 < scenario.steps.count || self.value(of: key) == scenario.value,
                "\(what): the value is \(self.value(of: key) ?? "absent") before the batch ends")
            if mode == .apart { try await self.writing.endBatch() }
        }
        try await self.writing.endBatch()
        self.expect(
            self.value(of: key) == scenario.value,
            "\(what): the value is \(self.value(of: key) ?? "absent"), not \(scenario.value ?? "absent")")
    }

    /// Checks that all bytes of keys and values are kept, and that each snapshot is counted and listed once.
    func content() async throws {
        let before = self.store.count
        var expected: [[UInt8]: Snapshot] = [:]
        let values: [[UInt8]] = [[], [0], Array(0...255), Array("ü".utf8)]
        for (index, value) in values.enumerated() {
            let key = [UInt8(index), 0, 255] + self.newKey()
            let fields: [StoreWriting.Value] = [(value, nil), (Array(" -7".utf8), -7)]
            _ = try self.writing.change(.upsert(""), key, 5, fields)
            expected[key] = Snapshot(
                entryID: Self.entry(5), key: key,
                fields: [
                    Snapshot.Field(name: self.store.keyField, bytes: key), Snapshot.Field(name: "value", bytes: value),
                    Snapshot.Field(name: "number", bytes: Array(" -7".utf8), integer: -7),
                ])
        }
        for moment in ["before the batch ends", "after the batch"] {
            for (key, snapshot) in expected {
                let found = self.store.snapshot(for: key.span)
                self.expect(
                    found.map { Self.isSame($0, snapshot) } ?? false,
                    "the snapshot is not that of the event \(moment): \(String(describing: found))")
            }
            self.expect(
                self.store.count == before + expected.count,
                "count is \(self.store.count), not \(before + expected.count), \(moment)")
            var listed: [[UInt8]] = []
            self.store.forEachSnapshot { listed.append($0.key) }
            self.expect(
                listed.count == self.store.count && Set(listed).count == listed.count
                    && expected.keys.allSatisfy(listed.contains),
                "forEachSnapshot does not list every snapshot once \(moment)")
            try await self.writing.endBatch()
        }
    }

    /// A number may be kept in canonical form; everything else is kept byte for byte.
    private static func isSame(_ found: Snapshot, _ wanted: Snapshot) -> Bool {
        found.entryID == wanted.entryID && found.key == wanted.key && found.fields.count == wanted.fields.count
            && zip(found.fields, wanted.fields).allSatisfy {
                $0.name == $1.name && $0.integer == $1.integer && ($0.bytes == $1.bytes || $1.integer != nil)
            }
    }

    /// Checks that a removal is complete, and that nothing is remembered after it.
    func removal() async throws {
        let (kept, evicted) = (self.newKey(), self.newKey())
        _ = try self.writing.upsert(kept, 9, "a")
        _ = try self.writing.evict(evicted, 9)
        try await self.writing.endBatch()
        self.store.removeAll()
        self.expect(self.store.snapshot(for: kept.span) == nil, "removeAll leaves snapshots")
        self.expect(self.store.count == 0, "count is \(self.store.count) after removeAll")
        try await self.store.finishRemoval()
        self.expect(self.store.snapshot(for: kept.span) == nil, "finishRemoval leaves snapshots")
        for key in [kept, evicted] {
            let result = try self.writing.upsert(key, 1, "b")
            self.expect(result == .applied, "after removeAll an older entry is \(result), not applied")
        }
        try await self.writing.endBatch()
        self.expect(self.store.count == 2, "count is \(self.store.count), not 2, after the store was filled again")
        var listed = 0
        self.store.forEachSnapshot { _ in listed += 1 }
        self.expect(listed == 2, "forEachSnapshot lists \(listed) snapshots, not 2, after the store was filled again")
    }

    /// Returns the value of a key, or `nil` if there is no snapshot.
    func value(of key: [UInt8]) -> String? {
        self.store.snapshot(for: key.span).flatMap { $0["value"] }
    }

    /// Returns the id with a number.
    static func entry(_ number: UInt64) -> EntryID { EntryID(milliseconds: number, sequence: 0) }
}
