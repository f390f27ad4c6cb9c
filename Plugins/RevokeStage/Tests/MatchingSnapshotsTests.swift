import RevokeStage
import StageKit
import StageTestKit
import Testing

@Suite struct MatchingSnapshotsTests {
    private struct Broken: Error {}

    private let handler = RecordingRevocationHandler()
    private let store = RecordingStore(name: "sessions", key: "id", index: ["user"])
    private let fixture: StageFixture

    init() {
        self.fixture = StageFixture(fields: ["user", "not_before"], stores: [self.store], revocations: self.handler)
    }

    private func hold(_ key: String, _ id: UInt64, user: String, issued: Int64? = nil) {
        var fields = [
            Snapshot.Field(name: "id", bytes: Array(key.utf8)), Snapshot.Field(name: "user", bytes: Array(user.utf8)),
        ]
        if let issued { fields.append(Snapshot.Field(name: "iat", bytes: Array("\(issued)".utf8), integer: issued)) }
        self.store.hold(Snapshot(entryID: Self.id(id), key: Array(key.utf8), fields: fields))
    }

    private static func id(_ milliseconds: UInt64) -> EntryID {
        EntryID(milliseconds: milliseconds, sequence: 0)
    }

    private func entry(_ id: UInt64, _ fields: KeyValuePairs<String, String>) -> SampleEntry {
        var entry = SampleEntry(fields)
        entry.id = Self.id(id)
        return entry
    }

    private static let settings: SettingNode = ["store": "sessions", "match": "user"]

    @Test("Revoke with match keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            RevokeStage.self, Self.settings, entries: [SampleEntry(["user": "u"]), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test("Each older session of the user is ended and announced as an eviction, and the batch is ended once")
    func ends() async throws {
        let sessions: [(String, UInt64, String)] = [("a", 1, "u"), ("b", 2, "v"), ("c", 3, "u"), ("d", 9, "u")]
        for (key, id, user) in sessions {
            self.hold(key, id, user: user)
        }
        let harness = try StageHarness(RevokeStage.self, Self.settings, in: self.fixture)
        let reports = try await harness.feed(self.entry(5, ["user": "u"]))
        #expect(reports[0].ending == .next && reports[0].effects == ["revoke"])
        #expect(self.store.changes == [.evict("a", Self.id(5)), .evict("c", Self.id(5))])
        let evictions: [RecordingRevocationHandler.Call] = ["a", "c"].map {
            .evicted($0, Self.id(5), reason: "revoke")
        }
        #expect(self.handler.calls == evictions + [.endBatch])
        // Read again: the newer session stays, and there is nothing to announce.
        let again = try await harness.feed(self.entry(5, ["user": "u"]))
        #expect(again[0].ending == .next && again[0].effects == ["revoke"])
        #expect(self.handler.calls.count == 3 && self.store.count == 2)
        // The event carries nothing of the keys that were passed to the handler.
        #expect(again[0].values.keys.sorted() == ["user"])
    }

    @Test("A failed end of the handler's batch is thrown and repeated")
    func failingEnd() async throws {
        self.hold("a", 1, user: "u")
        let harness = try StageHarness(RevokeStage.self, Self.settings, in: self.fixture)
        self.handler.failBatches(with: Broken())
        await #expect(throws: Broken.self) { try await harness.feed(self.entry(5, ["user": "u"])) }
        self.handler.failBatches(with: nil)
        try await harness.endBatch()
        #expect(self.handler.calls == [.evicted("a", Self.id(5), reason: "revoke"), .endBatch])
        try await harness.endBatch()
        #expect(self.handler.calls.count == 2)
    }

    @Test("With more sessions than are announced together, the event waits until all are ended")
    func many() async throws {
        let count = 10_000
        for key in 0..<count { self.hold("key-\(key)", 1, user: "u") }
        self.hold("other", 1, user: "v")
        let harness = try StageHarness(RevokeStage.self, Self.settings, in: self.fixture)
        let entries = [self.entry(5, ["user": "u"]), self.entry(6, ["user": "v"])]
        let reports = harness.process(entries)
        #expect(reports.map(\.ending) == [.waiting, .waiting])
        #expect(self.store.count > 1)
        let completed = try await harness.complete(reports)
        try await harness.endBatch()
        #expect(completed.allSatisfy { $0.ending == .next && $0.effects == ["revoke"] })
        #expect(self.store.count == 0)
        var largest = 0
        for part in self.handler.calls.split(separator: .endBatch) { largest = max(largest, part.count) }
        #expect(largest == 4096 && self.handler.calls.last == .endBatch)
        let keys = self.handler.calls.filter { $0 != .endBatch }.map { "\($0)" }
        #expect(keys.count == count + 1 && Set(keys).count == keys.count)
    }

    @Test("Only sessions issued before the time in the event are ended", arguments: [false, true])
    func issuedBefore(hasField: Bool) async throws {
        self.hold("old", 3, user: "u", issued: 1)
        self.hold("new", 1, user: "u", issued: 3)
        var settings: [(String, SettingNode)] = [
            ("store", "sessions"), ("match", "user"), ("issued_before", "not_before"),
        ]
        if hasField { settings.append(("issued_at", "iat")) }
        let harness = try StageHarness(RevokeStage.self, SettingNode.mapping(settings), in: self.fixture)
        _ = try await harness.feed(self.entry(5, ["user": "u", "not_before": "2"]))
        #expect(self.store.changes.first == .evict(hasField ? "old" : "new", Self.id(5)))
        #expect(self.store.count == 1)
    }

    @Test(
        "An event without a value or a time fails, and nothing is ended",
        arguments: [
            ([:], "revoke: user is missing or blank"), (["user": " "], "revoke: user is missing or blank"),
            (["user": "u"], "revoke: missing not_before"),
            (["user": "u", "not_before": "soon"], "revoke: not_before: not a time: expected milliseconds since 1970"),
        ] as [(KeyValuePairs<String, String>, String)])
    func failures(fields: KeyValuePairs<String, String>, message: String) throws {
        self.hold("a", 1, user: "u")
        self.hold("b", 1, user: " ")
        let settings: SettingNode = ["store": "sessions", "match": "user", "issued_before": "not_before"]
        let harness = try StageHarness(RevokeStage.self, settings, in: self.fixture)
        let report = harness.process([self.entry(5, fields)])[0]
        #expect(report.failure?.message == message && report.failure?.reason == "revoke_failure")
        #expect(report.effects == [] && self.store.changes == [] && self.handler.calls == [])
    }

    @Test("Without a handler sessions are ended, too")
    func noHandler() async throws {
        self.hold("a", 1, user: "u")
        let fixture = StageFixture(fields: ["user"], stores: [self.store], revocations: nil)
        let harness = try StageHarness(RevokeStage.self, Self.settings, in: fixture)
        let reports = try await harness.feed(self.entry(5, ["user": "u"]))
        #expect(reports[0].ending == .next && self.store.changes == [.evict("a", Self.id(5))])
    }

    @Test(
        "Settings that do not belong together are refused",
        arguments: [
            (["match": "user"], "1:1: revoke: match needs the setting store"),
            (["key": "user", "match": "user"], "1:1: revoke: key and match exclude each other: remove one of them"),
            (
                ["key": "user", "store": "sessions"],
                "1:1: revoke: store needs the setting match: remove it, or replace key by match"
            ),
            (
                ["store": "sessions", "match": "user", "issued_at": "iat"],
                "1:1: revoke: issued_at needs the setting issued_before"
            ),
            (
                ["store": "sessions", "match": "usr"],
                "1:1: revoke: no earlier stage provides the field \"usr\" (did you mean user?)"
            ),
            (
                ["store": "sessions", "match": "not_before"],
                "1:1: revoke: the store \"sessions\" has no index by \"not_before\" (one of user): add the field to "
                    + "index in its settings"
            ),
            (
                ["store": "plain", "match": "user"],
                "1:1: revoke: the store \"plain\" has no index by \"user\": a store of type memory has one with the setting "
                    + "index: [user]"
            ),
        ] as [(SettingNode, String)])
    func mistakes(settings: SettingNode, message: String) {
        let fixture = StageFixture(
            fields: ["user", "not_before"], stores: [self.store, RecordingStore(name: "plain", key: "id")])
        #expect(StageHarness<RevokeStage>.mistakes(settings, in: fixture).contains(message))
    }
}
