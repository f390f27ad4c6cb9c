import RemoveStage
import StageKit
import StageTestKit
import Testing

@Suite struct RemoveStageTests {
    private let fixture = StageFixture(fields: ["id", "note", "plan"])

    @Test("Remove keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            RemoveStage.self, ["fields": ["note", "plan"]],
            entries: [SampleEntry(["id": "1", "note": "n"]), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test("The named fields lose their values, the others keep theirs")
    func removes() throws {
        let harness = try StageHarness(RemoveStage.self, ["fields": ["note", "plan"]], in: self.fixture)
        let reports = harness.process([
            SampleEntry(["id": "1", "note": "n", "plan": ""]), SampleEntry(["id": "2", "plan": "p"]),
            SampleEntry([:]),
        ])
        #expect(reports.map(\.ending) == [.next, .next, .next])
        #expect(reports.map { $0.values.keys.sorted() } == [["id"], ["id"], []])
        #expect(reports[1].text("id") == "2")
    }

    @Test("A single field needs no brackets")
    func single() throws {
        let harness = try StageHarness(RemoveStage.self, ["fields": "id"], in: self.fixture)
        let report = harness.process([SampleEntry(["id": "1", "note": "n"])])[0]
        #expect(report.values.keys.sorted() == ["note"])
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (.mapping([]).at(2, 3), ["2:3: remove: missing setting \"fields\""]),
            (["fields": .list([]).at(3, 5)], ["3:5: remove: fields: expected a list with at least 1 item"]),
            (
                ["fields": .list([.text("nota").at(4, 9), "id"])],
                ["4:9: remove: fields: no earlier stage provides the field \"nota\" (did you mean note?)"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<RemoveStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
