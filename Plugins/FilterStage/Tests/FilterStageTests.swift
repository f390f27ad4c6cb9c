import FilterStage
import StageKit
import StageTestKit
import Testing

@Suite struct FilterStageTests {
    private let fixture = StageFixture(fields: ["status", "plan"])

    private func ending(
        _ settings: SettingNode, _ fields: KeyValuePairs<String, String>
    ) throws -> EventReport.Ending {
        try StageHarness(FilterStage.self, settings, in: self.fixture).process([SampleEntry(fields)])[0].ending
    }

    @Test("Filter keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            FilterStage.self, ["keep": ["status": "open"]],
            entries: [SampleEntry(["status": "open"]), SampleEntry(["status": "gone"]), SampleEntry([:])],
            in: self.fixture)
        #expect(violations == [])
    }

    @Test(
        "keep passes events that meet the condition, drop passes the others",
        arguments: [
            (["status": "open"], true), (["status": "closed", "plan": "x"], true), (["status": "gone"], false),
            (["status": "Open"], false), (["status": "open "], false), (["plan": "open"], false), ([:], false),
        ] as [(KeyValuePairs<String, String>, Bool)])
    func keepAndDrop(fields: KeyValuePairs<String, String>, holds: Bool) throws {
        let condition: SettingNode = ["status": ["open", "closed"]]
        let ended = EventReport.Ending.finished(.skipped, reason: "filtered")
        #expect(try self.ending(["keep": condition], fields) == (holds ? .next : ended))
        #expect(try self.ending(["drop": condition], fields) == (holds ? ended : .next))
    }

    @Test("An expression decides as well, and its error fails the event")
    func expressions() throws {
        let settings: SettingNode = ["keep": "status == 'open' || size(plan) > 3"]
        let ended = EventReport.Ending.finished(.skipped, reason: "filtered")
        #expect(try self.ending(settings, ["status": "open"]) == .next)
        #expect(try self.ending(settings, ["status": "gone", "plan": "large"]) == .next)
        #expect(try self.ending(settings, ["status": "gone", "plan": "m"]) == ended)
        guard case .failed(let failure) = try self.ending(settings, ["status": "gone"]) else {
            Issue.record("a missing field did not fail the event")
            return
        }
        #expect(failure.message == "filter: keep: \"plan\" is missing")
        #expect(failure.reason == "filter_failure")
        #expect(try self.ending(["drop": "!has(plan)"], ["status": "open"]) == ended)
    }

    @Test("Every field of the condition must match")
    func allFields() throws {
        let settings: SettingNode = ["drop": ["status": "open", "plan": "free"], "reason": "free_plan_2"]
        #expect(try self.ending(settings, ["status": "open"]) == .next)
        #expect(try self.ending(settings, ["status": "open", "plan": "paid"]) == .next)
        #expect(
            try self.ending(settings, ["status": "open", "plan": "free"])
                == .finished(.skipped, reason: "free_plan_2"))
    }

    @Test("An event that ends here has no effect and keeps its values")
    func untouched() throws {
        let harness = try StageHarness(FilterStage.self, ["keep": ["status": "open"]], in: self.fixture)
        let report = harness.process([SampleEntry(["status": "gone", "plan": "free"])])[0]
        #expect(report.effects == [])
        #expect(report.settled == nil)
        #expect(report.text("plan") == "free")
    }

    private static let neither = "expected either keep or drop, with the values that fields must have"

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (.mapping([]).at(2, 5), ["2:5: filter: \(Self.neither)"]),
            (
                .mapping([("keep", ["status": "a"]), ("drop", ["status": "b"])]).at(2, 5),
                ["2:5: filter: \(Self.neither)"]
            ),
            (
                ["keep": .text("open").at(3, 11)],
                ["3:11: filter: keep: unknown name \"open\""]
            ),
            (
                ["drop": .mapping([("statsu", .text("a").at(4, 7))])],
                ["4:7: filter: drop: no earlier stage provides the field \"statsu\" (did you mean status?)"]
            ),
            (
                ["keep": ["status": "a"], "reason": .text("Not Wanted").at(5, 9)],
                [
                    "5:9: filter: reason: \"Not Wanted\" is not a valid reason: use only a to z, digits and _, "
                        + "beginning with a letter"
                ]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<FilterStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
