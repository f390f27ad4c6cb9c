import RevokeStage
import StageKit
import StageTestKit
import Testing

@Suite struct RevokeStageTests {
    private struct Broken: Error {}

    private let handler = RecordingRevocationHandler()
    private let fixture: StageFixture
    private let settings: SettingNode = ["key": "id"]

    init() {
        self.fixture = StageFixture(fields: ["id"], revocations: self.handler)
    }

    private func makeHarness() throws -> StageHarness<RevokeStage> {
        try StageHarness(RevokeStage.self, self.settings, in: self.fixture)
    }

    private static func id(_ milliseconds: UInt64) -> EntryID {
        EntryID(milliseconds: milliseconds, sequence: 0)
    }

    @Test("Revoke keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            RevokeStage.self, self.settings, entries: [SampleEntry(["id": "a"]), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test("The handler is called for every event, also for repeated keys, and the batch is ended once")
    func tells() async throws {
        let harness = try self.makeHarness()
        let reports = try await harness.feed(SampleEntry(["id": "a"]), SampleEntry(["id": "a"]))
        #expect(reports.allSatisfy { $0.ending == .next && $0.effects == ["revoke"] })
        #expect(self.handler.calls == [.revoke("a", Self.id(1)), .revoke("a", Self.id(2)), .endBatch])
    }

    @Test("A batch without a revocation is not ended in the handler")
    func quietBatch() async throws {
        let harness = try self.makeHarness()
        _ = try await harness.feed()
        _ = try await harness.feed(SampleEntry([:]))
        #expect(self.handler.calls == [])
        _ = try await harness.feed(SampleEntry(["id": "a"]))
        _ = try await harness.feed()
        #expect(self.handler.calls == [.revoke("a", Self.id(2)), .endBatch])
    }

    @Test("An error of the handler at the end of a batch is thrown, and the end is repeated until it succeeds")
    func failingEnd() async throws {
        let harness = try self.makeHarness()
        self.handler.failBatches(with: Broken())
        await #expect(throws: Broken.self) { try await harness.feed(SampleEntry(["id": "a"])) }
        self.handler.failBatches(with: nil)
        try await harness.stage.endBatch()
        #expect(self.handler.calls == [.revoke("a", Self.id(1)), .endBatch])
    }

    @Test("The effect is recorded without a handler, too")
    func noHandler() async throws {
        let fixture = StageFixture(fields: ["id"], revocations: nil)
        let harness = try StageHarness(RevokeStage.self, self.settings, in: fixture)
        let reports = try await harness.feed(SampleEntry(["id": "a"]))
        #expect(reports[0].effects == ["revoke"])
    }

    @Test("An event without the key fails without a call of the handler")
    func noKey() throws {
        let report = try self.makeHarness().process([SampleEntry(["other": "x"])])[0]
        #expect(report.failure?.message == "revoke: missing id")
        #expect(report.failure?.reason == "revoke_failure")
        #expect(report.effects == [])
        #expect(self.handler.calls == [])
    }

    @Test("The key must be given and provided")
    func mistakes() {
        #expect(
            StageHarness<RevokeStage>.mistakes([:], in: self.fixture) == [
                "1:1: revoke: missing setting \"key\", or \"store\" and \"match\""
            ])
        #expect(
            StageHarness<RevokeStage>.mistakes(["key": .text("idd").at(2, 9)], in: self.fixture) == [
                "2:9: revoke: no earlier stage provides the field \"idd\" (did you mean id?)"
            ])
    }
}
