import MetricsStage
import StageKit
import StageTestKit
import Testing

@Suite struct MeasureTests {
    private let fixture = StageFixture(fields: ["status", "amount"])

    private func entry(_ status: String, _ amount: String) -> SampleEntry {
        SampleEntry(["status": status, "amount": amount])
    }

    private func makeHarness(_ settings: SettingNode) throws -> StageHarness<MetricsStage> {
        try StageHarness(MetricsStage.self, settings, in: self.fixture)
    }

    @Test(
        "Each kind keeps the contract of stages",
        arguments: [
            ["counter": "n", "value": "amount"], ["gauge": "n", "value": "amount", "labels": ["status"]],
            ["histogram": "n", "value": "amount", "labels": ["status", "reason"]],
        ] as [SettingNode])
    func conformance(settings: SettingNode) async {
        let violations = await StageConformance.check(
            MetricsStage.self, settings,
            entries: [self.entry("open", "5"), self.entry("open", "much"), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test("A counter with a value adds numbers; negative numbers and other text are ignored")
    func sums() async throws {
        let harness = try self.makeHarness(["counter": "paid", "value": "amount", "labels": ["status"]])
        _ = try await harness.feed(
            self.entry("open", "5"), self.entry("open", " +7 "), self.entry("gone", "0"), self.entry("open", "-3"),
            self.entry("open", "1.5"), SampleEntry(["status": "open"]), self.entry("open", ""))
        #expect(self.fixture.metrics.counters == ["paid{status=\"open\"}": 12])
        let greatest = self.entry("gone", "9223372036854775807")
        _ = try await harness.feed(greatest, greatest)
        #expect(self.fixture.metrics.counters["paid{status=\"gone\"}"] == .max)
    }

    @Test("A gauge is set to the last number of a batch, once per batch")
    func gauge() async throws {
        let harness = try self.makeHarness(["gauge": "level", "value": "amount", "labels": ["status"]])
        _ = try await harness.feed(
            self.entry("a", "5"), self.entry("b", "-1"), self.entry("a", "7"), self.entry("a", "x"))
        _ = try await harness.feed(SampleEntry(["status": "a"]))
        _ = try await harness.feed(self.entry("b", "3"))
        #expect(self.fixture.metrics.values == ["level{status=\"a\"}": [7], "level{status=\"b\"}": [-1, 3]])
    }

    @Test("Values of other types are measured as numbers: times and durations in seconds, true as 1")
    func types() async throws {
        for (type, texts, values) in [
            (.double, ["31.5", "-2", "x"], [31.5, -2]), (.unsigned, ["18446744073709551615"], [0x1p64]),
            (.bool, ["true", "0"], [1, 0]), (.duration(.text), ["1m30.5s"], [90.5]),
            (.timestamp(.milliseconds), ["1500"], [1.5]), (.json, ["[]"], []),
        ] as [(FieldType, [String], [Double])] {
            var fixture = StageFixture(fields: ["status", "amount"])
            fixture.types = ["amount": type]
            let harness = try StageHarness(MetricsStage.self, ["histogram": "h", "value": "amount"], in: fixture)
            for text in texts { _ = try await harness.feed(self.entry("a", text)) }
            #expect(fixture.metrics.values["h"] ?? [] == values)
        }
    }

    @Test("A counter adds fractions")
    func fractions() async throws {
        var fixture = StageFixture(fields: ["status", "amount"])
        fixture.types = ["amount": .double]
        let harness = try StageHarness(MetricsStage.self, ["counter": "c", "value": "amount"], in: fixture)
        for _ in 0..<2 {
            _ = try await harness.feed(self.entry("a", "1.5"), self.entry("a", "-1"), self.entry("a", "0.25"))
        }
        // Of 3.5, the factory of tests counts the whole part.
        #expect(fixture.metrics.counters["c"] == 3)
    }

    @Test("A histogram records every number")
    func histogram() async throws {
        let harness = try self.makeHarness(["histogram": "size", "value": "amount"])
        _ = try await harness.feed(self.entry("a", "5"), self.entry("b", "5"), self.entry("a", "-2"), SampleEntry([:]))
        _ = try await harness.feed(self.entry("b", "100"), self.entry("b", "much"))
        #expect(self.fixture.metrics.values == ["size": [5, 5, -2, 100]])
    }

    @Test(
        "Beyond 100 label sets, the numbers of further ones are measured as other", arguments: ["gauge", "histogram"])
    func manyValues(kind: String) async throws {
        let fixture = StageFixture(fields: ["status", "amount"])
        let settings = SettingNode.mapping([
            (kind, .text("m")), ("value", .text("amount")), ("labels", .list([.text("status")])),
        ])
        let harness = try StageHarness(MetricsStage.self, settings, in: fixture)
        _ = harness.process((0..<150).map { self.entry("s\($0)", "\($0)") })
        try await harness.stage.endBatch()
        #expect(fixture.metrics.values.count == 101)
        #expect(fixture.metrics.values["m{status=\"s99\"}"] == [99])
        #expect(fixture.metrics.values["m{status=\"other\"}"]?.last == 149)
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (.mapping([]).at(2, 3), ["2:3: metrics: expected one of counter, gauge and histogram"]),
            (
                .mapping([("counter", "a"), ("gauge", "b")]).at(2, 3),
                ["2:3: metrics: expected one of counter, gauge and histogram"]
            ),
            (
                .mapping([("gauge", "b")]).at(2, 3),
                ["2:3: metrics: missing setting \"value\": the field to measure"]
            ),
            (
                ["histogram": .text("9").at(3, 9), "value": "amount"],
                [
                    "3:9: metrics: histogram: \"9\" is not a valid name of a histogram: "
                        + "use only letters, digits, _ and :, and do not begin with a digit"
                ]
            ),
            (
                ["gauge": "g", "value": .text("amuont").at(4, 9)],
                ["4:9: metrics: no earlier stage provides the field \"amuont\" (did you mean amount?)"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<MetricsStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
