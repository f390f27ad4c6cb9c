import MetricsStage
import StageKit
import StageTestKit
import Testing

@Suite struct MetricsStageTests {
    private let fixture = StageFixture(pipeline: "accounts", fields: ["status", "plan"])

    private func makeHarness(_ settings: SettingNode) throws -> StageHarness<MetricsStage> {
        try StageHarness(MetricsStage.self, settings, in: self.fixture)
    }

    @Test("Metrics keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            MetricsStage.self, ["counter": "events", "labels": ["status", "reason"]],
            entries: [SampleEntry(["status": "active"]), SampleEntry([:], failure: StageFailure("bad"))],
            in: self.fixture)
        #expect(violations == [])
    }

    @Test("Events are counted by field values, with one update per label set at the end of the batch")
    func countsByField() async throws {
        let harness = try self.makeHarness(["counter": "events_total", "labels": ["status", "plan"]])
        let entries = ["active", "revoked", "active", "active"].map { SampleEntry(["status": $0, "plan": "p"]) }
        _ = harness.process(entries + [SampleEntry([:])])
        #expect(self.fixture.metrics.counters == [:])
        try await harness.stage.endBatch()
        #expect(self.fixture.metrics.increments == 3)
        _ = try await harness.feed(entries[0])
        #expect(
            self.fixture.metrics.counters == [
                "events_total{status=\"active\",plan=\"p\"}": 4,
                "events_total{status=\"revoked\",plan=\"p\"}": 1,
                "events_total{status=\"\",plan=\"\"}": 1,
            ])
    }

    @Test("A label of a secret field has one placeholder for all values, and a secret cannot be measured")
    func secrets() async throws {
        var fixture = self.fixture
        fixture.secrets = ["plan"]
        let harness = try StageHarness(
            MetricsStage.self, ["counter": "events_total", "labels": ["status", "plan"]], in: fixture)
        _ = try await harness.feed(
            SampleEntry(["status": "a", "plan": "x"]), SampleEntry(["status": "a", "plan": "y"]),
            SampleEntry(["status": "a"]))
        #expect(fixture.metrics.counters == ["events_total{status=\"a\",plan=\"[secret]\"}": 3])
        #expect(
            StageHarness<MetricsStage>.mistakes(["gauge": "size", "value": "plan"], in: fixture) == [
                "1:1: metrics: value: the field \"plan\" is secret, but a metric would reveal its numbers: measure "
                    + "another field"
            ])
    }

    @Test("A counter without labels counts everything")
    func noLabels() async throws {
        let harness = try self.makeHarness(["counter": "events"])
        _ = try await harness.feed(SampleEntry([:]), SampleEntry(["status": "x"]))
        #expect(self.fixture.metrics.counters == ["events": 2])
    }

    @Test("An empty batch touches no counter")
    func emptyBatch() async throws {
        let harness = try self.makeHarness(["counter": "events"])
        _ = try await harness.feed(SampleEntry([:]))
        _ = try await harness.feed()
        #expect(self.fixture.metrics.increments == 1)
    }

    @Test("The pipeline and a failure's reason and stage are available as labels")
    func builtIns() async throws {
        let harness = try self.makeHarness(["counter": "drops", "labels": ["component", "reason", "stage"]])
        var failure = StageFailure("bad", reason: "malformed_event")
        failure.stage = "decode"
        _ = try await harness.feed(SampleEntry([:], failure: failure), SampleEntry([:]))
        #expect(
            self.fixture.metrics.counters == [
                "drops{component=\"accounts\",reason=\"malformed_event\",stage=\"decode\"}": 1,
                "drops{component=\"accounts\",reason=\"\",stage=\"\"}": 1,
            ])
    }

    @Test("Values with the same concatenated bytes are distinguished")
    func boundaries() async throws {
        let harness = try self.makeHarness(["counter": "events", "labels": ["status", "plan"]])
        _ = try await harness.feed(
            SampleEntry(["status": "ab", "plan": "c"]), SampleEntry(["status": "a", "plan": "bc"]))
        #expect(
            self.fixture.metrics.counters == [
                "events{status=\"ab\",plan=\"c\"}": 1, "events{status=\"a\",plan=\"bc\"}": 1,
            ])
    }

    @Test("Beyond 100 label sets, further ones count as other, and no event is lost")
    func manyValues() async throws {
        let harness = try self.makeHarness(["counter": "events", "labels": ["component", "status"]])
        for _ in 0..<2 {
            _ = harness.process((0..<150).map { SampleEntry(["status": "s\($0)"]) })
            try await harness.stage.endBatch()
        }
        let counters = self.fixture.metrics.counters
        #expect(counters.count == 101)
        #expect(counters["events{component=\"accounts\",status=\"s99\"}"] == 2)
        #expect(counters["events{component=\"accounts\",status=\"s100\"}"] == nil)
        #expect(counters["events{component=\"accounts\",status=\"other\"}"] == 100)
        #expect(counters.values.reduce(0, +) == 300)
    }

    @Test("A value longer than 128 bytes counts as other")
    func longValue() async throws {
        let harness = try self.makeHarness(["counter": "events", "labels": ["status"]])
        let longest = String(repeating: "x", count: 128)
        _ = try await harness.feed(SampleEntry(["status": longest]), SampleEntry(["status": longest + "x"]))
        #expect(
            self.fixture.metrics.counters == ["events{status=\"\(longest)\"}": 1, "events{status=\"other\"}": 1])
    }

    @Test("A value that is not UTF-8 has its bad bytes replaced")
    func notUTF8() async throws {
        let harness = try self.makeHarness(["counter": "events", "labels": ["status"]])
        _ = try await harness.feed(SampleEntry(bytes: [(Array("status".utf8), [0x61, 0xFF])]))
        #expect(self.fixture.metrics.counters == ["events{status=\"a\u{FFFD}\"}": 1])
    }

    @Test(
        "Valid Prometheus names are accepted", arguments: ["a", "_", ":", "session_events", "a:b_9", "Z9"])
    func counterNames(name: String) {
        #expect(StageHarness<MetricsStage>.mistakes(["counter": .text(name)], in: self.fixture) == [])
    }

    @Test("Invalid Prometheus names are refused", arguments: ["", "9a", "a-b", "a b", "é", "a.b", "a\n", "²"])
    func badCounterNames(name: String) {
        let mistakes = StageHarness<MetricsStage>.mistakes(["counter": .text(name).at(2, 3)], in: self.fixture)
        #expect(mistakes.count == 1)
        let prefix = "2:3: metrics: counter: \"\(name)\" is not a valid name of a counter"
        #expect(mistakes.first?.hasPrefix(prefix) == true)
    }

    @Test("Names of the worker's own metrics are refused", arguments: ["sluice_events", "process_cpu_seconds"])
    func reservedNames(name: String) {
        let mistakes = StageHarness<MetricsStage>.mistakes(["counter": .text(name).at(2, 3)], in: self.fixture)
        #expect(mistakes.count == 1)
        let prefix = name.prefix { $0 != "_" }
        #expect(mistakes.first?.contains("names that begin with \(prefix)_ are reserved for the worker") == true)
    }

    @Test(
        "Invalid labels are refused with their position",
        arguments: [
            (
                "a:b",
                "\"a:b\" cannot be a label: use only letters, digits and _, and do not begin with a digit or __"
            ),
            (
                "__name__",
                "\"__name__\" cannot be a label: use only letters, digits and _, and do not begin with a digit or __"
            ),
            (" ", "must not be blank"),
        ])
    func badLabels(label: String, message: String) {
        let settings: SettingNode = ["counter": "c", "labels": [.text(label).at(4, 5)]]
        #expect(
            StageHarness<MetricsStage>.mistakes(settings, in: self.fixture) == ["4:5: metrics: labels: \(message)"])
    }

    @Test("An unknown or repeated label is refused")
    func unknownLabels() {
        let settings: SettingNode = [
            "counter": "c", "labels": ["status", .text("statos").at(4, 5), .text("status").at(4, 13)],
        ]
        #expect(
            StageHarness<MetricsStage>.mistakes(settings, in: self.fixture) == [
                "4:5: metrics: no earlier stage provides the field \"statos\" (did you mean status?)",
                "4:13: metrics: the label \"status\" is listed twice",
            ])
    }
}
