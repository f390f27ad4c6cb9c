import StageKit
import StageTestKit
import Testing

@testable import AggregateStage

@Suite struct AggregateStageTests {
    private static func fixture() -> StageFixture {
        var fixture = StageFixture(fields: ["device", "celsius", "count", "user", "at", "took"])
        fixture.types = [
            "celsius": .double, "count": .integer, "at": .timestamp(.milliseconds), "took": .duration(.milliseconds),
        ]
        return fixture
    }

    private static let values: SettingNode = [
        "readings": "count", "warmest": ["max": "celsius"], "mean": ["avg": "celsius", "optional": "true"],
    ]

    private func harness(
        _ settings: SettingNode, in fixture: StageFixture = Self.fixture()
    ) throws -> StageHarness<AggregateStage> {
        try StageHarness(AggregateStage.self, settings, in: fixture)
    }

    private static func entry(_ time: UInt64, _ fields: KeyValuePairs<String, String>) -> SampleEntry {
        SampleEntry(fields, id: EntryID(milliseconds: time, sequence: 0))
    }

    @Test("Aggregate keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            AggregateStage.self,
            [
                "key": "device", "window": "2ms", "lateness": "1ms", "groups": "3", "distinct": "2",
                "values": [
                    "n": "count", "most": ["max": "celsius", "optional": "true"], "users": ["distinct": "user"],
                ],
            ],
            entries: [
                SampleEntry(["device": "a", "celsius": "1.5", "user": "u"]),
                SampleEntry(["device": "b", "user": "v"]), SampleEntry(["device": "a", "user": "w", "celsius": "2"]),
                SampleEntry(["device": "a", "user": "u"]), SampleEntry(["user": "u"]),
                SampleEntry(["device": "b", "user": "v", "celsius": "-3e2"]),
                SampleEntry(["device": "b", "user": "v"]), SampleEntry(["device": "b", "user": "v"]),
            ], in: Self.fixture())
        #expect(violations == [])
    }

    @Test("Each event is aggregated, and each window continues as an event with the key, its times and its values")
    func totals() throws {
        let harness = try self.harness([
            "key": ["device"], "window": "1m", "lateness": "10s", "values": Self.values,
        ])
        let reports = harness.process([
            Self.entry(60_000, ["device": "a", "celsius": "20.5"]),
            Self.entry(61_000, ["device": "b", "celsius": "3"]),
            Self.entry(119_999, ["device": "a", "celsius": "19.50"]),
            Self.entry(129_999, ["device": "a", "celsius": "1"]),
        ])
        #expect(reports.map(\.ending) == Array(repeating: .finished(.applied, reason: "aggregated"), count: 4))
        #expect(harness.emitted.isEmpty)
        _ = harness.process([Self.entry(130_000, ["device": "c", "celsius": "1"])])
        #expect(harness.emitted.count == 2)
        let (first, second) = (harness.emitted[0], harness.emitted[1])
        #expect(first.text("device") == "a" && second.text("device") == "b")
        #expect(first.text("window_start") == "1970-01-01T00:01:00Z")
        #expect(first.text("window_end") == "1970-01-01T00:02:00Z")
        #expect(first.values["window_start"]?.typed == .timestamp(seconds: 60, nanoseconds: 0))
        #expect(first.values["readings"]?.integer == 2 && second.values["readings"]?.integer == 1)
        #expect(first.text("warmest") == "20.5" && first.values["warmest"]?.typed == .double(20.5))
        #expect(first.text("mean") == "20.0" && second.text("mean") == "3.0")
        #expect(first.text("celsius") == nil)
        #expect(first.id.milliseconds == 130_000 && second.id.milliseconds == 130_000 && first.id != second.id)
    }

    @Test("The ids of windows are the same in another instance, whatever event closes them")
    func ids() throws {
        let settings: SettingNode = ["key": "device", "window": "1s", "values": ["n": "count"]]
        let ids = try [1000, 7000].map { closing in
            let harness = try self.harness(settings)
            _ = harness.process([Self.entry(5, ["device": "a"]), Self.entry(UInt64(closing), ["device": "b"])])
            return harness.emitted.map(\.id)
        }
        #expect(ids[0] == ids[1] && ids[0].count == 1)
    }

    @Test(
        "Every function of every type gives its value, with its type",
        arguments: [
            (["sum": "count"], ["4", "-6", "0"], "-2"), (["sum": "celsius"], ["1.25", "2", "0.5"], "3.75"),
            (["min": "count"], ["4", "-6", "0"], "-6"), (["max": "count"], ["4", "+07", "0"], "7"),
            (["avg": "count"], ["4", "-6", "1"], "-0.3333333333333333"),
            (["max": "at"], ["1700000000000", "1700000000001", "0"], "1700000000001"),
            (["min": "took"], ["1500", "20", "40"], "20"), (["distinct": "user"], ["u", "v", "u"], "2"),
            (["distinct": "celsius"], ["1", "1.0", "1"], "2"),
        ] as [(SettingNode, [String], String)])
    func functions(function: SettingNode, inputs: [String], expected: String) throws {
        let field = try #require(function.pairs?.first?.value)
        guard case .scalar(let name, _) = field.content else { return }
        let harness = try self.harness(["window": "1s", "values": ["result": function]])
        for (index, input) in inputs.enumerated() {
            let entry = SampleEntry(
                bytes: [(Array(name.utf8), Array(input.utf8))], id: EntryID(milliseconds: UInt64(index), sequence: 0))
            #expect(harness.process([entry])[0].failure == nil)
        }
        let last = SampleEntry(
            bytes: [(Array(name.utf8), Array(inputs[0].utf8))], id: EntryID(milliseconds: 1000, sequence: 0))
        _ = harness.process([last])
        #expect(harness.emitted.first?.text("result") == expected)
    }

    @Test(
        "An event without a value, with one of another type, or that is late or early fails with its reason",
        arguments: [
            (["device": "a"], 70_001, "aggregate_failure", "aggregate: warmest: missing celsius"),
            (
                ["device": "a", "celsius": "hot"], 70_001, "aggregate_failure",
                "aggregate: warmest: celsius is not a finite number or a time"
            ),
            (
                ["device": "a", "celsius": "1"], 59_999, "late",
                "aggregate: late: the window that ended at 1970-01-01T00:01:00Z is closed"
            ),
            (
                ["device": "b", "celsius": "1"], 70_001, "too_many_groups",
                "aggregate: 1 windows are open: raise groups if that is intended"
            ),
            (
                ["device": "a", "celsius": "1"], .max, "aggregate_failure",
                "aggregate: the id of the entry is not a time"
            ),
        ] as [(KeyValuePairs<String, String>, UInt64, String, String)])
    func failures(fields: KeyValuePairs<String, String>, time: UInt64, reason: String, message: String) throws {
        let harness = try self.harness([
            "key": "device", "window": "1m", "groups": "1", "values": ["warmest": ["max": "celsius"]],
        ])
        _ = harness.process([Self.entry(70_000, ["device": "a", "celsius": "1"])])
        let failure = harness.process([Self.replayed(time, fields)])[0].failure
        #expect(failure?.reason == reason)
        #expect(failure?.message == message)
    }

    /// An entry with the time `time`. The ids of a stream ascend, so an earlier time than that of the newest entry is
    /// that of an original which was added again from a dead-letter stream.
    private static func replayed(_ time: UInt64, _ fields: KeyValuePairs<String, String>) -> SampleEntry {
        let original = (Array(ReplayedEntry.field.utf8), Array("\(time)-0".utf8))
        let bytes = fields.map { (Array($0.key.utf8), Array($0.value.utf8)) }
        let id = EntryID(milliseconds: max(time, 80_000), sequence: 0)
        return SampleEntry(bytes: time < 80_000 ? [original] + bytes : bytes, id: id)
    }

    @Test("With time, events are placed by the field, and one far ahead of the clock closes no window")
    func time() throws {
        var fixture = Self.fixture()
        fixture.clock = WallClock { 100_000 }
        let harness = try self.harness(
            ["window": "10s", "time": "at", "ahead": "5s", "values": ["n": "count"]], in: fixture)
        let reports = harness.process([
            Self.entry(1, ["at": "95000"]), Self.entry(2, ["at": "105001"]), Self.entry(3, ["at": "99000"]),
            Self.entry(4, ["at": "105000"]), Self.entry(5, [:]),
        ])
        #expect(reports.map { $0.failure?.reason } == [nil, "early", nil, nil, "aggregate_failure"])
        #expect(harness.emitted.map { $0.text("n") } == ["2"])
        #expect(!harness.stage.emitsInOrder)
    }

    @Test("In a silent stream windows wait, or are closed if the file says so", arguments: ["wait", "close"])
    func silence(idle: String) throws {
        let harness = try self.harness(["window": "1s", "idle": .text(idle), "values": ["n": "count"]])
        _ = harness.process([Self.entry(1, [:])])
        harness.stage.advance(to: 999)
        #expect(!harness.stage.hasEmissions)
        harness.stage.advance(to: 1000)
        #expect(harness.stage.hasEmissions == (idle == "close"))
        #expect(harness.stage.followsTime == (idle == "close"))
    }

    @Test("Events without a key field share a window; an expression is a part of the key under its number")
    func keys() throws {
        let harness = try self.harness([
            "key": .list(["user", ["expr": "device.substring(0, 1)"]]), "window": "1s", "values": ["n": "count"],
        ])
        _ = harness.process([
            Self.entry(1, ["device": "a1", "user": "u"]), Self.entry(2, ["device": "a2", "user": "u"]),
            Self.entry(3, ["device": "b1"]), Self.entry(1000, ["device": "a1", "user": "u"]),
        ])
        #expect(harness.emitted.map { $0.text("user") } == [nil, "u"])
        #expect(harness.emitted.map { $0.text("key_2") } == ["b", "a"])
        #expect(harness.emitted.map { $0.text("n") } == ["1", "2"])
    }

    @Test("Beyond the limit, distinct stops and says so")
    func distinct() throws {
        let harness = try self.harness([
            "window": "1s", "distinct": "2", "values": ["users": ["distinct": "user"]],
        ])
        _ = harness.process(["u", "v", "w", "u"].enumerated().map { Self.entry(UInt64($0), ["user": $1]) })
        _ = harness.process([Self.entry(1000, ["user": "u"]), Self.entry(2000, ["user": "u"])])
        #expect(harness.emitted.map { $0.text("users") } == ["2", "1"])
        #expect(harness.emitted.map { $0.text("users_capped") } == ["true", "false"])
    }

    @Test(
        "A sum that leaves its type fails the event and leaves the window as it was",
        arguments: [
            (.integer, ["9223372036854775806", "2", "1"], "9223372036854775807"),
            (.integer, ["-9223372036854775807", "-2", "-1"], "-9223372036854775808"),
            (.unsigned, ["18446744073709551614", "2", "1"], "18446744073709551615"),
            (.double, ["1.7e308", "1e308", "-1.7e308"], "0.0"),
        ] as [(FieldType, [String], String)])
    func sums(type: FieldType, numbers: [String], sum: String) throws {
        var fixture = Self.fixture()
        fixture.types["n"] = type
        fixture.fields.append("n")
        let harness = try self.harness(
            ["window": "1ms", "lateness": "1s", "values": ["sum": ["sum": "n"], "n2": "count"]], in: fixture)
        let reports = harness.process(
            numbers.enumerated().map { index, number in
                SampleEntry(["n": number], id: EntryID(milliseconds: 7, sequence: UInt64(index)))
            })
        #expect(reports.map { $0.failure?.reason } == [nil, "out_of_range", nil])
        _ = harness.process([Self.entry(9000, ["n": "1"])])
        #expect(harness.emitted.map { $0.text("sum") } == [sum] && harness.emitted.first?.text("n2") == "2")
    }

    @Test("An entry that the windows contain is skipped, and counts once")
    func repeated() throws {
        let harness = try self.harness(["window": "1s", "values": ["n": "count"]])
        let entries = [Self.entry(1, [:]), Self.entry(2, [:])]
        let reports = harness.process(entries) + harness.process(entries + [Self.entry(3, [:])])
        let (counted, skipped) = (
            EventReport.Ending.finished(.applied, reason: "aggregated"),
            EventReport.Ending.finished(.skipped, reason: "repeated_entry")
        )
        #expect(reports.map(\.ending) == [counted, counted, skipped, skipped, counted])
        _ = harness.process([Self.entry(1000, [:])])
        #expect(harness.emitted.map { $0.text("n") } == ["3"])
    }

    @Test("Windows of a millisecond, keys at their limit, and values without text", arguments: [1024, 1025])
    func extremes(keyLength: Int) throws {
        let harness = try self.harness([
            "key": "device", "window": "1ms",
            "values": ["n": "count", "users": ["distinct": "user", "optional": "true"]],
        ])
        let key = String(repeating: "k", count: keyLength)
        let reports = harness.process([
            Self.entry(1, ["device": key]), Self.entry(2, ["device": key, "user": ""]), Self.entry(3, ["device": ""]),
            Self.entry(4, [:]), Self.entry(5, ["device": ""]),
        ])
        let isRefused = keyLength > 1024
        #expect(
            reports.map { $0.failure?.reason == "aggregate_failure" } == [isRefused, isRefused, false, false, false])
        // An empty key is a key, and differs from a missing one.
        let keys = harness.emitted.map { $0.text("device") }
        #expect(keys == (isRefused ? [] : [key, key]) + ["", nil])
        #expect(harness.emitted.map { $0.text("users") } == (isRefused ? [] : ["0", "1"]) + ["0", "0"])
    }

    @Test(
        "A state of other settings is refused with their names and the number of windows that are lost",
        arguments: [
            (["window": "2s"], "window"), (["lateness": "5ms"], "lateness"), (["key": "user"], "key"),
            (["key": ["expr": "device + user"]], "key"), (["time": "at"], "time"),
            (["values": ["n": "count", "most": ["max": "count"]]], "values"),
            (["values": ["n": ["max": "celsius"]], "window": "2s"], "window, values"), ([:], ""),
            (["groups": "7", "distinct": "9", "ahead": "2s"], ""),
        ] as [(SettingNode, String)])
    func changedSettings(changes: SettingNode, names: String) throws {
        let old: KeyValuePairs<String, SettingNode> = [
            "key": ["expr": "device  + 'x'"], "window": "1s", "lateness": "3ms", "values": ["n": "count"],
        ]
        func harness(_ changes: [SettingNode.Pair]) throws -> StageHarness<AggregateStage> {
            let kept = old.filter { setting in !changes.contains { $0.key == setting.key } }
            return try self.harness(
                .mapping(kept.map { ($0.key, $0.value) } + changes.map { ($0.key, $0.value) }))
        }
        let first = try harness([])
        _ = first.process([Self.entry(1, ["device": "a"]), Self.entry(2, ["device": "b"])])
        let saved = first.stage.state.save()
        let second = try harness(changes.pairs ?? [])
        do throws(StageFailure) {
            try second.stage.state.restore(saved)
            #expect(names.isEmpty)
        } catch {
            #expect(error.message == "the stage's settings have changed (\(names)): 2 open windows are lost")
        }
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (
                .mapping([]).at(2, 3),
                ["2:3: aggregate: missing setting \"window\"", "2:3: aggregate: missing setting \"values\""]
            ),
            (
                ["window": .text("0s").at(3, 9), "values": ["n": "count"]],
                ["3:9: aggregate: window: 0s is too short: the minimum is 1ms"]
            ),
            (
                ["window": .text("367d").at(3, 9), "values": ["n": "count"]],
                ["3:9: aggregate: window: 367d is too long: the maximum is 366d"]
            ),
            (
                ["window": "1s", "values": ["n": .text("cuont").at(3, 9)]],
                ["3:9: aggregate: values: n: unknown value \"cuont\" (did you mean count?)"]
            ),
            (
                ["window": "1s", "values": ["n": ["mx": .text("celsius").at(3, 9)]]],
                ["3:9: aggregate: values: n: unknown setting \"mx\" (did you mean max?)"]
            ),
            (
                ["window": "1s", "values": ["n": ["max": "celsius", "min": .text("celsius").at(3, 9)]]],
                ["3:9: aggregate: values: n: expected one of sum, min, max, avg, distinct"]
            ),
            (
                ["window": "1s", "values": ["n": ["max": .text("celsus").at(3, 9)]]],
                ["3:9: aggregate: values: n: no earlier stage provides the field \"celsus\" (did you mean celsius?)"]
            ),
            (
                ["window": "1s", "values": ["n": ["sum": .text("user").at(3, 9)]]],
                [
                    "3:9: aggregate: values: n: sum requires numbers, but the type of \"user\" is another one: declare "
                        + "it in decode (type: int64, for example)"
                ]
            ),
            (
                ["window": "1s", "time": .text("user").at(3, 9), "values": ["n": "count"]],
                ["3:9: aggregate: time: \"user\" is not a time: declare it in decode (type: timestamp)"]
            ),
            (
                SettingNode.mapping([
                    ("window", "1s"), ("time", "at"), ("idle", "close"), ("values", ["n": "count"]),
                ]).at(2, 3),
                ["2:3: aggregate: idle: close requires the time in the entries' ids: remove time, or idle"]
            ),
            (
                ["key": "device", "window": "1s", "values": ["device": .text("count").at(3, 9)]],
                ["3:9: aggregate: values: the window's event has \"device\" already: choose another name"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<AggregateStage>.mistakes(settings, in: Self.fixture()) == messages)
    }
}
