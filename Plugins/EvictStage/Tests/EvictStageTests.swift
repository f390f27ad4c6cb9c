import EvictStage
import StageKit
import StageTestKit
import Testing

@Suite struct EvictStageTests {
    private struct Broken: Error {}

    private let store = RecordingStore(name: "accounts", key: "id")
    private let fixture: StageFixture
    private let settings: SettingNode = ["store": "accounts", "key": "id"]

    init() {
        self.fixture = StageFixture(fields: ["id"], stores: [self.store])
    }

    private func makeHarness() throws -> StageHarness<EvictStage> {
        try StageHarness(EvictStage.self, self.settings, in: self.fixture)
    }

    private static func id(_ milliseconds: UInt64) -> EntryID {
        EntryID(milliseconds: milliseconds, sequence: 0)
    }

    @Test("Evict keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            EvictStage.self, self.settings,
            entries: [SampleEntry(["id": "a"]), SampleEntry([:], failure: StageFailure("bad"))], in: self.fixture)
        #expect(violations == [])
    }

    @Test("The key of a failed event is evicted, with the outcome evicted and the reason of the failure")
    func applied() throws {
        let failed = SampleEntry(["id": "a"], failure: StageFailure("bad", reason: "malformed_event"))
        let report = try self.makeHarness().process([failed])[0]
        #expect(report.ending == .next)
        #expect(report.effects == ["evict"])
        #expect(report.settled == .init(.evicted))
        #expect(self.store.changes == [.evict("a", Self.id(1))])
    }

    @Test(
        "An event without a key continues unchanged",
        arguments: [[:], ["id": ""], ["id": "\u{A0} \t"]] as [KeyValuePairs<String, String>])
    func noKey(fields: KeyValuePairs<String, String>) throws {
        let report = try self.makeHarness().process([SampleEntry(fields)])[0]
        #expect(report.ending == .next)
        #expect(report.effects == [])
        #expect(report.settled == nil)
        #expect(self.store.changes == [])
    }

    @Test("An older event evicts nothing and continues unchanged")
    func older() throws {
        let reports = try self.makeHarness().process([
            SampleEntry(["id": "a"], id: Self.id(5)), SampleEntry(["id": "a"], id: Self.id(4)),
        ])
        #expect(reports[1].ending == .next)
        #expect(reports[1].effects == [])
        #expect(reports[1].settled == nil)
        #expect(self.store.changes == [.evict("a", Self.id(5))])
    }

    @Test("An event that is read again has the same outcome without a second effect")
    func repeated() throws {
        let entry = SampleEntry(["id": "a"], id: Self.id(5))
        let reports = try self.makeHarness().process([entry, entry])
        #expect(reports[1].ending == .next)
        #expect(reports[1].effects == [])
        #expect(reports[1].settled == .init(.evicted))
    }

    @Test("A refusal by the store fails the event")
    func refused() throws {
        let harness = try self.makeHarness()
        self.store.refuse(with: StageFailure("the store is away"))
        let report = harness.process([SampleEntry(["id": "a"])])[0]
        #expect(report.failure?.message == "evict: the store is away")
        #expect(report.failure?.reason == "store_failure")
    }

    @Test("The store's batches are ended, and an error there is thrown")
    func batches() async throws {
        let harness = try self.makeHarness()
        _ = try await harness.feed(SampleEntry(["id": "a"]))
        #expect(self.store.changes == [.evict("a", Self.id(1)), .endBatch])
        self.store.failBatches(with: Broken())
        await #expect(throws: Broken.self) { try await harness.feed(SampleEntry(["id": "b"])) }
    }

    @Test("Every eviction is announced with its reason before the batch ends, whatever the store's result")
    func announced() async throws {
        let harness = try self.makeHarness()
        let failed = { (id: UInt64) in
            SampleEntry(["id": "a"], id: Self.id(id), failure: StageFailure("bad", reason: "malformed_event"))
        }
        // Applied, repeated, older, of an event that has not failed, and refused.
        for entry in [failed(5), failed(5), failed(4), SampleEntry(["id": "b"], id: Self.id(6))] {
            _ = try await harness.feed(entry)
        }
        self.store.refuse(with: StageFailure("the store is away"))
        _ = try await harness.feed(failed(7))
        let handler = try #require(self.fixture.revocations)
        let calls = handler.calls.filter { $0 != .endBatch }
        #expect(
            calls == [
                .evicted("a", Self.id(5), reason: "malformed_event"),
                .evicted("a", Self.id(5), reason: "malformed_event"),
                .evicted("a", Self.id(4), reason: "malformed_event"), .evicted("b", Self.id(6), reason: "evict"),
                .evicted("a", Self.id(7), reason: "malformed_event"),
            ])
        #expect(handler.calls.last == .endBatch && handler.calls.count { $0 == .endBatch } == 5)
    }

    @Test("An event without a key is not announced, and a batch that cannot be announced is ended again")
    func announcedAgain() async throws {
        let harness = try self.makeHarness()
        let handler = try #require(self.fixture.revocations)
        _ = try await harness.feed(SampleEntry(["id": " "]))
        #expect(handler.calls == [])
        handler.failBatches(with: Broken())
        await #expect(throws: Broken.self) { try await harness.feed(SampleEntry(["id": "a"])) }
        handler.failBatches(with: nil)
        _ = try await harness.feed(SampleEntry(["id": " "]))
        #expect(handler.calls == [.evicted("a", Self.id(2), reason: "evict"), .endBatch])
    }

    @Test("An unknown store or key is refused with its position")
    func mistakes() {
        let settings: SettingNode = ["store": .text("acounts").at(2, 3), "key": .text("ident").at(3, 3)]
        #expect(
            StageHarness<EvictStage>.mistakes(settings, in: self.fixture) == [
                "3:3: evict: no earlier stage provides the field \"ident\" (one of id)",
                "2:3: evict: no store \"acounts\" is declared under stores (did you mean accounts?)",
            ])
        #expect(
            StageHarness<EvictStage>.mistakes([:], in: self.fixture) == [
                "1:1: evict: missing setting \"store\"", "1:1: evict: missing setting \"key\"",
            ])
    }
}
