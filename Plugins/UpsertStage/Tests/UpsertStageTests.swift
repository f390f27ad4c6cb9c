import StageKit
import StageTestKit
import Testing
import UpsertStage

@Suite struct UpsertStageTests {
    private struct Broken: Error {}

    private let store = RecordingStore(name: "accounts", key: "id")
    private let fixture: StageFixture
    private let settings: SettingNode = ["store": "accounts"]

    init() {
        self.fixture = StageFixture(fields: ["owner", "id", "plan"], stores: [self.store])
    }

    private func makeHarness(_ settings: SettingNode? = nil) throws -> StageHarness<UpsertStage> {
        try StageHarness(UpsertStage.self, settings ?? self.settings, in: self.fixture)
    }

    private static func id(_ milliseconds: UInt64) -> EntryID {
        EntryID(milliseconds: milliseconds, sequence: 0)
    }

    @Test("Upsert keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            UpsertStage.self, self.settings,
            entries: [SampleEntry(["id": "a", "owner": "o"]), SampleEntry(["owner": "o"])], in: self.fixture)
        #expect(violations == [])
    }

    @Test("A new snapshot has all fields that earlier stages provide")
    func applied() throws {
        let report = try self.makeHarness().process([SampleEntry(["id": "a", "owner": "o", "other": "x"])])[0]
        #expect(report.ending == .next)
        #expect(report.effects == ["upsert"])
        #expect(report.settled == nil)
        let snapshot = self.store.snapshot(for: "a")
        #expect(snapshot?.fields.map(\.name) == ["owner", "id"])
        #expect(snapshot?["owner"] == "o")
        #expect(snapshot?.entryID == Self.id(1))
    }

    @Test("Only the fields that are named are kept")
    func chosenFields() throws {
        let harness = try self.makeHarness(["store": "accounts", "fields": ["plan"]])
        _ = harness.process([SampleEntry(["id": "a", "owner": "o", "plan": "free"])])
        #expect(self.store.snapshot(for: "a")?.fields.map(\.name) == ["plan"])
    }

    @Test("An event older than the snapshot changes nothing and continues with the outcome skipped")
    func older() throws {
        let reports = try self.makeHarness().process([
            SampleEntry(["id": "a", "plan": "new"], id: Self.id(5)),
            SampleEntry(["id": "a", "plan": "old"], id: Self.id(4)),
        ])
        #expect(reports[1].ending == .next)
        #expect(reports[1].settled == .init(.skipped, reason: "older_entry"))
        #expect(reports[1].effects == [])
        #expect(self.store.snapshot(for: "a")?["plan"] == "new")
        #expect(self.store.changes == [.upsert("a", Self.id(5))])
    }

    @Test("A repeated event continues with the outcome skipped, so that later stages run at least once")
    func repeated() throws {
        let entry = SampleEntry(["id": "a"], id: Self.id(5))
        let reports = try self.makeHarness().process([entry, entry])
        #expect(reports[1].ending == .next)
        #expect(reports[1].settled == .init(.skipped, reason: "repeated_entry"))
        #expect(reports[1].effects == [])
        #expect(self.store.changes == [.upsert("a", Self.id(5))])
    }

    @Test("Processing stops at an equal or newer snapshot only if the source knows the event to be finished")
    func knownFinished() throws {
        let harness = try self.makeHarness()
        let entries = (4...6).map { SampleEntry(["id": "a"], id: Self.id($0)) }
        _ = harness.process(entries)
        harness.finishedUpTo = Self.id(5)
        let again = harness.process(entries)
        #expect(
            again.map(\.ending) == [
                .finished(.skipped, reason: "older_entry"),
                .finished(.skipped, reason: "older_entry"), .next,
            ])
        #expect(again[2].settled == .init(.skipped, reason: "repeated_entry"))
        harness.finishedUpTo = Self.id(6)
        #expect(harness.process(entries)[2].ending == .finished(.skipped, reason: "repeated_entry"))
        // What the store does not hold is applied and goes on, finished before or not: the store was emptied since.
        self.store.removeAll()
        #expect(harness.process(entries).map(\.ending) == [.next, .next, .next])
    }

    @Test("A refusal by the store fails the event, with the store's reason if it has one")
    func refused() throws {
        let harness = try self.makeHarness()
        self.store.refuse(with: StageFailure("the store is full"))
        let plain = harness.process([SampleEntry(["id": "a"])])[0]
        #expect(plain.failure?.message == "upsert: the store is full")
        #expect(plain.failure?.reason == "store_failure")
        self.store.refuse(with: StageFailure("too large", reason: "record_too_large"))
        #expect(harness.process([SampleEntry(["id": "a"])])[0].failure?.reason == "record_too_large")
        #expect(self.store.changes == [])
    }

    @Test(
        "An event without a key or with a blank one fails, since its snapshot could never be removed",
        arguments: [[:], ["id": ""], ["id": " \u{3000}"]] as [KeyValuePairs<String, String>])
    func noKey(fields: KeyValuePairs<String, String>) throws {
        let report = try self.makeHarness().process([SampleEntry(fields)])[0]
        #expect(report.failureMessage == "upsert: id is missing or blank")
        #expect(self.store.count == 0)
    }

    @Test("Events are announced to the store and batches ended; an error at the end is thrown")
    func batches() async throws {
        let harness = try self.makeHarness()
        _ = try await harness.feed(SampleEntry(["id": "a"]), SampleEntry(["id": "b"]))
        #expect(self.store.prepared == [Self.id(1), Self.id(2)])
        #expect(self.store.changes == [.upsert("a", Self.id(1)), .upsert("b", Self.id(2)), .endBatch])
        self.store.failBatches(with: Broken())
        await #expect(throws: Broken.self) { try await harness.feed(SampleEntry(["id": "c"])) }
    }

    @Test("An unknown store, key or field is refused with its position")
    func mistakes() {
        let unknown: SettingNode = ["store": .text("acounts").at(2, 3), "fields": [.text("plna").at(3, 4)]]
        #expect(
            StageHarness<UpsertStage>.mistakes(unknown, in: self.fixture) == [
                "3:4: upsert: no earlier stage provides the field \"plna\" (did you mean plan?)",
                "2:3: upsert: no store \"acounts\" is declared under stores (did you mean accounts?)",
            ])
        let keyless = StageFixture(fields: ["owner"], stores: [self.store])
        #expect(
            StageHarness<UpsertStage>.mistakes(["store": .text("accounts").at(2, 3)], in: keyless) == [
                "2:3: upsert: no earlier stage provides the field \"id\" (one of owner)"
            ])
    }
}
