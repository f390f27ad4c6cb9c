import StageKit
import StageTestKit
import Testing

@testable import DedupeStage

@Suite struct DedupeStageTests {
    private let fixture = StageFixture(fields: ["id", "status"])

    /// For each entry, given by its id in milliseconds and the value of `id`, whether it goes on.
    private func passes(_ settings: SettingNode, _ entries: [(UInt64, String)]) throws -> [Bool] {
        let harness = try StageHarness(DedupeStage.self, settings, in: self.fixture)
        return entries.map { milliseconds, value in
            let id = EntryID(milliseconds: milliseconds, sequence: 0)
            let ending = harness.process([SampleEntry(["id": value], id: id)])[0].ending
            #expect(ending == .next || ending == .finished(.skipped, reason: "duplicate"))
            return ending == .next
        }
    }

    @Test("Dedupe keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            DedupeStage.self, ["by": ["id", "status"], "remember": "2", "within": "1s"],
            entries: [SampleEntry(["id": "1"]), SampleEntry(["id": "1"]), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test("The first of equal events continues, the others are skipped")
    func duplicates() throws {
        let entries: [(UInt64, String)] = [(1, "a"), (2, "b"), (3, "a"), (4, "a"), (5, "c"), (6, "b")]
        #expect(try self.passes(["by": "id"], entries) == [true, true, false, false, true, false])
    }

    @Test("All fields count: concatenated values and missing fields are distinguished")
    func fields() throws {
        let harness = try StageHarness(DedupeStage.self, ["by": ["id", "status"]], in: self.fixture)
        let entries: [KeyValuePairs<String, String>] = [
            ["id": "a", "status": "bc"], ["id": "ab", "status": "c"], ["id": "abc"], ["status": "abc"],
            ["id": "abc", "status": ""], ["other": "x"], ["id": "abc"], ["status": "bc", "id": "a"], ["other": "x"],
        ]
        let endings = harness.process(entries.map { SampleEntry($0) }).map { $0.ending == .next }
        #expect(endings == [true, true, true, true, true, true, false, false, true])
    }

    @Test("Events are compared within their stream, and a far id in one stream expires nothing of another")
    func streams() throws {
        let harness = try StageHarness(DedupeStage.self, ["by": "id", "within": "1s"], in: self.fixture)
        let passes = [
            (1, 5000, "x"), (0, 5000, "x"), (0, 9_000_000, "y"), (1, 5001, "x"), (0, 9_000_001, "x"),
            (0, 9_000_002, "y"),
        ].map { (stream, milliseconds, value) in
            harness.streamIndex = stream
            let id = EntryID(milliseconds: UInt64(milliseconds), sequence: 0)
            return harness.process([SampleEntry(["id": value], id: id)])[0].ending == .next
        }
        #expect(passes == [true, true, true, false, true, false])
    }

    @Test("At the limit the oldest event is forgotten")
    func limit() throws {
        let entries: [(UInt64, String)] = [
            (1, "a"), (2, "b"), (3, "a"), (4, "c"), (5, "a"), (6, "c"), (7, "b"),
        ]
        // c takes the place of a, a that of b, b that of c.
        #expect(
            try self.passes(["by": "id", "remember": "2"], entries)
                == [true, true, false, true, true, false, true])
    }

    @Test("After the maximum age by entry id an event is new; the age counts from its first entry")
    func age() throws {
        let entries: [(UInt64, String)] = [
            (1000, "a"), (1900, "a"), (2000, "a"), (2001, "a"), (3001, "a"), (3002, "a"), (9000, "b"), (9001, "a"),
        ]
        #expect(
            try self.passes(["by": "id", "within": "1s"], entries)
                == [true, false, false, true, false, true, true, true])
    }

    @Test("An entry read again is not its own duplicate, and later duplicates are still skipped")
    func readAgain() throws {
        let entries: [(UInt64, String)] = [(1, "a"), (2, "a"), (3, "b"), (1, "a"), (2, "a"), (3, "b"), (4, "b")]
        #expect(try self.passes(["by": "id"], entries) == [true, false, true, true, false, true, false])
    }

    @Test("Ids that go back and forth affect neither the age nor the limit")
    func unordered() throws {
        let entries: [(UInt64, String)] = [(5000, "a"), (1000, "b"), (5500, "b"), (5600, "b"), (5700, "a")]
        #expect(
            try self.passes(["by": "id", "within": "1s"], entries) == [true, true, true, false, false])
    }

    @Test(
        "An expression identifies duplicates, alone or beside fields",
        arguments: [
            ["expr": "id.lowerAscii()"], "id.lowerAscii()", .list(["id.lowerAscii()"]),
            .list([["expr": "id.lowerAscii()"], ["expr": "size(id)"]]),
        ] as [SettingNode])
    func expressions(by: SettingNode) throws {
        let entries: [(UInt64, String)] = [(1, "a"), (2, "A"), (3, "b"), (4, "aa"), (5, "B"), (6, "AA")]
        #expect(try self.passes(["by": by], entries) == [true, false, true, true, false, false])
    }

    @Test("An expression without a value makes no key, and one that fails fails the event")
    func expressionErrors() throws {
        let optional = try StageHarness(
            DedupeStage.self, ["by": ["expr": "has(id) ? optional.of(id) : optional.none()"]], in: self.fixture)
        let endings = optional.process([SampleEntry([:]), SampleEntry([:]), SampleEntry(["id": "a"])]).map(\.ending)
        #expect(endings == [.next, .next, .next])
        let failing = try StageHarness(DedupeStage.self, ["by": ["expr": "id + '!'"]], in: self.fixture)
        let entries = [SampleEntry([:]), SampleEntry(["id": "a"]), SampleEntry(["id": "a"])]
        let others = failing.process(entries).map(\.ending)
        guard case .failed(let failure) = others[0] else {
            Issue.record("\(others[0])")
            return
        }
        #expect(failure.message == "dedupe: by: \"id\" is missing")
        #expect(others.dropFirst() == [.next, .finished(.skipped, reason: "duplicate")])
    }

    @Test("Many events are distinguished while the memory grows")
    func many() throws {
        let harness = try StageHarness(DedupeStage.self, ["by": "id", "remember": "5000"], in: self.fixture)
        let entries = (0..<5000).map { SampleEntry(["id": "event \($0)"]) }
        #expect(harness.process(entries).allSatisfy { $0.ending == .next })
        #expect(harness.process(entries).allSatisfy { $0.ending != .next })
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (.mapping([]).at(2, 3), ["2:3: dedupe: missing setting \"by\""]),
            (
                ["by": .list([.text("idd").at(3, 9)])],
                ["3:9: dedupe: by: no earlier stage provides the field \"idd\" (did you mean id?)"]
            ),
            (
                ["by": .text("size(idd)").at(3, 9)],
                ["3:9: dedupe: by: unknown name \"idd\" (did you mean \"id\"?) (at 1:6 of the expression)"]
            ),
            (
                ["by": .mapping([("exp", .text("id").at(3, 9))])],
                ["3:9: dedupe: by: unknown setting \"exp\" (did you mean expr?)"]
            ),
            (
                ["by": "id", "remember": .text("0").at(4, 9)],
                ["4:9: dedupe: remember: 0 is out of range: it must be from 1 to 10000000"]
            ),
            (
                ["by": "id", "within": .text("10").at(4, 9)],
                ["4:9: dedupe: within: expected a duration such as 250ms, 5s or 2m, found \"10\""]
            ),
            (
                ["by": "id", "within": .text("0s").at(4, 9)],
                ["4:9: dedupe: within: 0s is too short: the minimum is 1ms"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<DedupeStage>.mistakes(settings, in: self.fixture) == messages)
    }

    @Test("Equal elements of an entry are duplicates of the first of them, also when the entry is read again")
    func elements() throws {
        let batch = EventBatch()
        batch.append(id: .zero, fields: [([], Array("a".utf8))])
        batch.prepareCells(fieldCount: 1)
        let field = FieldID(index: 0)
        let key = try #require(
            batch.withEvent(at: 0) { event in
                event.set(field, copying: Array("a".utf8))
                return event.key(of: [field])
            })
        var seen = SeenEvents(limit: 10, age: nil)
        let entry = EntryID(milliseconds: 5, sequence: 0)
        for _ in 0..<2 {
            let repeated = (0..<3).map { seen.isRepeated(key, at: EventID(entry, element: $0)) }
            #expect(repeated == [false, true, true])
        }
        let isRepeated = seen.isRepeated(key, at: EventID(EntryID(milliseconds: 6, sequence: 0)))
        #expect(isRepeated)
    }
}
