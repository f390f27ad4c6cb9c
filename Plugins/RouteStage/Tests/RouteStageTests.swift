import RouteStage
import StageKit
import StageTestKit
import Testing

@Suite struct RouteStageTests {
    private var fixture: StageFixture {
        var fixture = StageFixture(fields: ["status", "amount"])
        fixture.branches = ["closed", "rest"]
        return fixture
    }

    private static func settings(default otherwise: SettingNode? = nil) -> SettingNode {
        var settings: [(String, SettingNode)] = [
            (
                "cases",
                [
                    ["when": ["status": "kept"], "to": "next"],
                    ["when": ["status": ["kept", "closed"]], "to": "closed"],
                ]
            )
        ]
        if let otherwise { settings.append(("default", otherwise)) }
        return .mapping(settings)
    }

    @Test("Route keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            RouteStage.self, Self.settings(default: "rest"),
            entries: [SampleEntry(["status": "closed"]), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test("The first matching case takes the event, and other events take the default")
    func cases() async throws {
        let entries = [
            SampleEntry(["status": "kept"]), SampleEntry(["status": "closed"]), SampleEntry(["status": "open"]),
            SampleEntry([:]),
        ]
        let plain = try StageHarness(RouteStage.self, Self.settings(), in: self.fixture)
        #expect(plain.process(entries).map(\.ending) == [.next, .sent(to: "closed"), .next, .next])
        let full = try StageHarness(RouteStage.self, Self.settings(default: "rest"), in: self.fixture)
        #expect(
            full.process(entries).map(\.ending) == [
                .next, .sent(to: "closed"), .sent(to: "rest"), .sent(to: "rest"),
            ])
    }

    @Test(
        "Graph checks see the targets of its cases",
        arguments: [(nil, true, ["closed"]), ("rest", true, ["closed", "rest"]), ("next", true, ["closed"])])
    func exits(otherwise: SettingNode?, goesOn: Bool, branches: [String]) throws {
        let exits = try #require(StageType(RouteStage.self).exits(Self.settings(default: otherwise)))
        #expect(exits.goesOn == goesOn)
        #expect(exits.branches.map(\.text) == branches)
    }

    @Test("With a default and no case for the next stage, no event continues")
    func noNext() throws {
        let settings: SettingNode = ["cases": [["when": ["status": "closed"], "to": "closed"]], "default": "rest"]
        #expect(StageType(RouteStage.self).exits(settings)?.goesOn == false)
    }

    @Test(
        "Invalid settings are reported",
        arguments: [
            (["default": "rest"], "1:1: route: missing setting \"cases\""),
            (["cases": []], "1:1: route: cases: expected a list with at least 1 item"),
            (["cases": [["to": "closed"]]], "1:1: route: cases: missing setting \"when\""),
            (["cases": [["when": ["status": "closed"]]]], "1:1: route: cases: missing setting \"to\""),
            (
                ["cases": [["when": ["status": "closed"], "to": "clsed"]]],
                "1:1: route: no branch \"clsed\" (did you mean closed?)"
            ),
            (
                ["cases": [["when": ["state": "closed"], "to": "closed"]]],
                "1:1: route: no earlier stage provides the field \"state\" (one of status, amount)"
            ),
        ] as [(SettingNode, String)])
    func mistakes(settings: SettingNode, line: String) {
        #expect(StageHarness<RouteStage>.mistakes(settings, in: self.fixture) == [line])
    }

    @Test("Cases beyond the limit are refused")
    func tooManyCases() {
        let one: SettingNode = ["when": ["status": "closed"], "to": "closed"]
        let settings: SettingNode = ["cases": .list(Array(repeating: one, count: 101))]
        #expect(
            StageHarness<RouteStage>.mistakes(settings, in: self.fixture)
                == ["1:1: route: cases: too many cases: 101, the maximum is 100"])
    }
}
