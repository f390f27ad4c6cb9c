import StageKit
import StageTestKit
import Testing
import ThrottleStage

@Suite struct ThrottleStageTests {
    private let fixture = StageFixture(fields: ["id"])

    /// For each entry, given by its id in milliseconds and the value of `id`, whether it goes on.
    private func passes(_ settings: SettingNode, _ entries: [(UInt64, String)]) throws -> [Bool] {
        let harness = try StageHarness(ThrottleStage.self, settings, in: self.fixture)
        return entries.map { milliseconds, value in
            let id = EntryID(milliseconds: milliseconds, sequence: 0)
            let fields: KeyValuePairs<String, String> = value.isEmpty ? [:] : ["id": value]
            let ending = harness.process([SampleEntry(fields, id: id)])[0].ending
            #expect(ending == .next || ending == .finished(.skipped, reason: "throttled"))
            return ending == .next
        }
    }

    @Test("Throttle keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            ThrottleStage.self, ["rate": "1/s", "by": "id", "keys": "2"],
            entries: [SampleEntry(["id": "1"]), SampleEntry(["id": "1"]), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test("A burst of events passes immediately, then one per interval")
    func overall() throws {
        let times: [UInt64] = [1000, 1000, 1000, 1499, 1500, 1501, 1999, 2000, 60_000, 60_000, 60_001]
        #expect(
            try self.passes(["rate": "2/s"], times.map { ($0, "") })
                == [true, true, false, false, true, false, false, true, true, true, false])
    }

    @Test("Each stream has its own time and rate; a far id in one throttles nothing in another", arguments: ["", "k"])
    func streams(value: String) throws {
        let harness = try StageHarness(ThrottleStage.self, ["rate": "1/s", "by": "id"], in: self.fixture)
        let passes = [(0, 9_000_000), (1, 1000), (1, 1999), (1, 2000), (0, 9_000_500), (1, 3000)].map {
            (stream, time) in
            harness.streamIndex = stream
            let fields: KeyValuePairs<String, String> = value.isEmpty ? [:] : ["id": value]
            let id = EntryID(milliseconds: UInt64(time), sequence: 0)
            return harness.process([SampleEntry(fields, id: id)])[0].ending == .next
        }
        #expect(passes == [true, true, false, true, false, true])
    }

    @Test("The burst size changes how many events pass together, not the rate")
    func burst() throws {
        let entries: [(UInt64, String)] = [(1000, ""), (1000, ""), (1000, ""), (1000, ""), (1500, ""), (1500, "")]
        #expect(
            try self.passes(["rate": "2/s", "burst": "3"], entries) == [true, true, true, false, true, false])
        #expect(
            try self.passes(["rate": "2/s", "burst": "1"], entries) == [true, false, false, false, true, false])
    }

    @Test("Each value of an expression has its own rate")
    func byExpression() throws {
        let entries: [(UInt64, String)] = [(1000, "a1"), (1000, "a2"), (1000, "b1"), (1000, "b2"), (2000, "a3")]
        let by: SettingNode = ["expr": "id.substring(0, 1)"]
        #expect(try self.passes(["rate": "1/s", "by": by], entries) == [true, false, true, false, true])
        #expect(try self.passes(["rate": "1/s", "by": .list(["id", by])], entries) == [true, true, true, true, true])
    }

    @Test("Each value has its own rate; events without the field share one")
    func byKey() throws {
        let entries: [(UInt64, String)] = [
            (1000, "a"), (1001, "b"), (1002, "a"), (1003, ""), (1004, "b"), (1005, ""), (61_000, "a"), (61_000, ""),
            (61_001, "b"), (61_002, "b"),
        ]
        // The minute of the events without the field ends at 61003.
        #expect(
            try self.passes(["rate": "1/m", "by": "id"], entries)
                == [true, true, false, true, false, false, true, false, true, false])
    }

    @Test("Beyond the key limit, the oldest key is forgotten and starts again")
    func keys() throws {
        let entries: [(UInt64, String)] = [(1, "a"), (2, "b"), (3, "a"), (4, "c"), (5, "c"), (6, "a"), (7, "b")]
        #expect(
            try self.passes(["rate": "1/h", "by": "id", "keys": "2"], entries)
                == [true, true, false, true, false, true, true])
    }

    @Test("Ids that go back do not advance time, and the greatest ids do not overflow")
    func strangeTimes() throws {
        let entries: [(UInt64, String)] = [
            (5000, ""), (1000, ""), (5999, ""), (6000, ""), (.max - 1, ""), (.max, ""), (.max, ""),
        ]
        #expect(
            try self.passes(["rate": "1/s"], entries) == [true, false, false, true, true, false, false])
        #expect(
            try self.passes(["rate": "1/h", "burst": "1000000"], entries).allSatisfy { $0 })
    }

    @Test("In a long run, the number of passed events matches the rate")
    func longRun() throws {
        let entries = (0..<10_000).map { (UInt64(1_000_000 + $0), "") }
        // Ten seconds less a millisecond at 7 a second, and the burst of 7 at the beginning.
        let count = try self.passes(["rate": "7/s"], entries).count { $0 }
        #expect(count == 7 + 69)
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (.mapping([]).at(2, 3), ["2:3: throttle: missing setting \"rate\""]),
            (
                ["rate": .text("100").at(3, 9)],
                ["3:9: throttle: rate: expected a rate such as 100/s, 5/m or 1/h, found \"100\""]
            ),
            (
                ["rate": .text("5/ms").at(3, 9)],
                ["3:9: throttle: rate: expected a rate such as 100/s, 5/m or 1/h, found \"5/ms\""]
            ),
            (
                ["rate": .text("0/s").at(3, 9)],
                ["3:9: throttle: rate: 0/s is out of range: it must be from 1 to 1000000 events"]
            ),
            (["rate": .list([]).at(3, 9)], ["3:9: throttle: rate: expected a rate such as 100/s, found a list"]),
            (
                ["rate": "1/s", "burst": .text("0").at(4, 9), "by": .list(["ib"]), "keys": .text("x").at(5, 9)],
                [
                    "4:9: throttle: burst: 0 is out of range: it must be from 1 to 1000000",
                    "5:9: throttle: keys: expected a whole number, found \"x\"",
                ]
            ),
            (
                ["rate": "1/s", "by": .text("ib").at(4, 9)],
                ["4:9: throttle: by: no earlier stage provides the field \"ib\" (did you mean id?)"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<ThrottleStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
