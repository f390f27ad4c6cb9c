import SampleStage
import StageKit
import StageTestKit
import Testing

@Suite struct SampleStageTests {
    private let fixture = StageFixture(fields: ["id", "status"])

    private func passes(_ settings: SettingNode, _ entries: [SampleEntry]) throws -> [Bool] {
        try StageHarness(SampleStage.self, settings, in: self.fixture).process(entries).map { report in
            #expect(report.ending == .next || report.ending == .finished(.skipped, reason: "not_sampled"))
            return report.ending == .next
        }
    }

    @Test("Sample keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            SampleStage.self, ["one_in": "2", "by": "id"],
            entries: (0..<8).map { SampleEntry(["id": "\($0)"]) }, in: self.fixture)
        #expect(violations == [])
    }

    /// Entries of which a share is drawn: fifty of the rarest.
    private static let drawn = 5000

    @Test("About one in N continues, by the entry's id and by a field", arguments: [2, 3, 10, 100])
    func share(oneIn: Int) throws {
        let entries = (0..<Self.drawn).map { number in
            SampleEntry(
                ["id": "order-\(number)"], id: EntryID(milliseconds: 1_700_000_000_000 + UInt64(number), sequence: 0))
        }
        let expected = Self.drawn / oneIn
        for settings: SettingNode in [["one_in": .text("\(oneIn)")], ["one_in": .text("\(oneIn)"), "by": "id"]] {
            let count = try self.passes(settings, entries).count { $0 }
            // Five standard deviations of a fair draw; the hash is fixed, so this never changes from run to run.
            let allowed = Int(5 * (Double(expected) * (1 - 1 / Double(oneIn))).squareRoot())
            #expect((expected - allowed...expected + allowed).contains(count))
        }
    }

    @Test("One in one lets everything through")
    func all() throws {
        let entries = (0..<100).map { SampleEntry(["id": "\($0)"]) }
        #expect(try self.passes(["one_in": "1"], entries).allSatisfy { $0 })
    }

    @Test("The same value always gives the same decision, whatever the rest of the event")
    func together() throws {
        let settings: SettingNode = ["one_in": "3", "by": "id"]
        let first = try self.passes(settings, (0..<300).map { SampleEntry(["id": "\($0)", "status": "a"]) })
        let second = try self.passes(
            settings, (0..<300).map { SampleEntry(["status": "b", "id": "\($0)"], id: .max) })
        #expect(first == second)
        #expect(Set(first) == [true, false])
    }

    // The expected numbers come from another program of the same two published functions.
    @Test("The sample is the same in all versions")
    func fixed() throws {
        let kept = try self.passes(["one_in": "4", "by": "id"], (0..<12).map { SampleEntry(["id": "\($0)"]) })
        #expect(kept.indices.filter { kept[$0] } == [3, 6, 8, 11])
    }

    @Test("The value of an expression is sampled as the same value of a field")
    func expression() throws {
        let ids = (0..<200).map { "Value \($0)" }
        let upper = ids.map { SampleEntry(["id": $0.uppercased()]) }
        let byField = try self.passes(["one_in": "3", "by": "id"], ids.map { SampleEntry(["id": $0.lowercased()]) })
        #expect(try self.passes(["one_in": "3", "by": ["expr": "id.lowerAscii()"]], upper) == byField)
        #expect(byField.contains(true) && byField.contains(false))
    }

    @Test("A missing field is a distinct value, different from an empty one")
    func absent() throws {
        var differ = false
        for oneIn in 2...20 {
            let kept = try self.passes(
                ["one_in": .text("\(oneIn)"), "by": "id"], [SampleEntry([:]), SampleEntry(["id": ""])])
            differ = differ || kept[0] != kept[1]
        }
        #expect(differ)
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (.mapping([]).at(2, 3), ["2:3: sample: missing setting \"one_in\""]),
            (
                ["one_in": .text("0").at(3, 9)],
                ["3:9: sample: one_in: 0 is out of range: it must be from 1 to 1000000000"]
            ),
            (
                ["one_in": .text("0.1").at(3, 9)],
                ["3:9: sample: one_in: expected a whole number, found \"0.1\""]
            ),
            (
                ["one_in": "2", "by": .text("idd").at(3, 9)],
                ["3:9: sample: by: no earlier stage provides the field \"idd\" (did you mean id?)"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<SampleStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
