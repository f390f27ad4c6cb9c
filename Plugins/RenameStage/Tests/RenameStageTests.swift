import RenameStage
import StageKit
import StageTestKit
import Testing

@Suite struct RenameStageTests {
    private let fixture = StageFixture(fields: ["id", "status", "plan"])
    private let settings: SettingNode = ["status": "order_status", "plan": "tariff"]

    @Test("Rename keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            RenameStage.self, self.settings,
            entries: [SampleEntry(["id": "1", "status": "open"]), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test("Values move to the new names, byte for byte")
    func moves() throws {
        let harness = try StageHarness(RenameStage.self, self.settings, in: self.fixture)
        let reports = harness.process([
            SampleEntry(["id": "1", "status": " open\t", "plan": ""]), SampleEntry(["id": "2", "plan": "p"]),
        ])
        #expect(reports[0].values.keys.sorted() == ["id", "order_status", "tariff"])
        #expect(reports[0].text("order_status") == " open\t")
        #expect(reports[0].text("tariff") == "")
        #expect(reports[1].values.keys.sorted() == ["id", "tariff"])
    }

    @Test("The new field loses its previous value, even if the old field has none")
    func overwrites() throws {
        let harness = try StageHarness(RenameStage.self, ["status": "plan"], in: self.fixture)
        let reports = harness.process([
            SampleEntry(["status": "a", "plan": "b"]), SampleEntry(["id": "1", "plan": "b"]),
        ])
        #expect(reports[0].text("plan") == "a")
        #expect(reports[0].values["status"] == nil)
        #expect(reports[1].values.keys.sorted() == ["id"])
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            ([:], ["1:1: rename: expected names with values, found none"]),
            (["status": .text(" ").at(2, 9)], ["2:9: rename: status: must not be blank"]),
            (
                ["statsu": .text("x").at(3, 9)],
                ["3:9: rename: no earlier stage provides the field \"statsu\" (did you mean status?)"]
            ),
            (
                ["status": "x", "plan": .text("x").at(4, 9)],
                ["4:9: rename: plan: another field is also renamed to \"x\""]
            ),
            (
                ["status": "x", "plan": .text("status").at(4, 9)],
                [
                    "4:9: rename: plan: \"status\" is itself renamed by this stage: use another rename stage, or "
                        + "another name"
                ]
            ),
            (
                ["status": .text("status").at(4, 9)],
                [
                    "4:9: rename: status: \"status\" is itself renamed by this stage: use another rename stage, or "
                        + "another name"
                ]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<RenameStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
