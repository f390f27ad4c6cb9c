import DecodeStage
import StageKit
import StageTestKit
import Testing

@Suite struct DecodeStageTests {
    @Test("Decode keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            DecodeStage.self, Sample.settings,
            entries: [
                SampleEntry(["id": "a-1", "owner": "o-1", "balance": "12"]),
                SampleEntry(["id": "a-1", "owner": "o-1"]),
                SampleEntry(["id": "a-1", "colour": "red"]),
                SampleEntry(["id": "a-1", "owner": "o-1", "balance": "much"]),
            ])
        #expect(violations == [])
    }

    @Test("Declared fields become values byte for byte, and numbers are parsed")
    func values() throws {
        let report = try Sample.decode(["balance": " 12 ", "owner": "  o 1\t", "id": "a-1"])
        #expect(report.ending == .next)
        #expect(report.text("id") == "a-1")
        #expect(report.text("owner") == "  o 1\t")
        #expect(report.text("balance") == " 12 ")
        #expect(report.values["balance"]?.integer == 12)
        #expect(report.values["id"]?.integer == nil)
    }

    @Test("Values that are not UTF-8 are kept as they came")
    func rawBytes() throws {
        let bytes: [UInt8] = [0xFF, 0x00, 0xC0]
        let report = try Sample.decode(bytes: [(Array("id".utf8), bytes), (Array("owner".utf8), [0x85])])
        #expect(report.ending == .next)
        #expect(report.values["id"]?.bytes == bytes)
    }

    @Test(
        "The reserved field of a replayed entry is refused if the source has not removed it, even with other fields allowed"
    )
    func reservedField() throws {
        for unknown in ["reject", "ignore"] as [SettingNode] {
            for json in [false, true] {
                var settings: SettingNode = ["event": "order", "fields": ["id": [:]], "unknown_fields": unknown]
                if json {
                    settings = ["event": "order", "json": "p", "fields": ["id": [:]], "unknown_fields": unknown]
                }
                let value: (String, String) = json ? ("p", #"{"id":"a-1"}"#) : ("id", "a-1")
                let malformed = try Sample.decode(["_sluice_original": "soon", value.0: value.1], settings)
                #expect(
                    malformed.failureMessage
                        == "decode order: _sluice_original must be the first field and contain the id of an earlier "
                        + "entry"
                )
                // The key is there for a failure branch.
                #expect(malformed.text("id") == "a-1")
                let later = try Sample.decode(["x": "1", value.0: value.1, "_sluice_original": "0-1"], settings)
                #expect(later.failureMessage == malformed.failureMessage)
                let good = try Sample.decode(["_sluice_original": "0-1", value.0: value.1], settings)
                #expect(good.ending == .next && good.text("id") == "a-1")
            }
        }
    }

    @Test("The reserved field cannot be declared")
    func reservedName() {
        for settings in [
            ["fields": ["_sluice_original": [:]]], ["json": "_sluice_original", "fields": ["id": [:]]],
        ] as [SettingNode] {
            #expect(throws: (any Error).self) { try Sample.decode(["id": "a-1"], settings) }
        }
    }

    @Test("The last value of a repeated name wins before any check")
    func lastWins() throws {
        let good = try Sample.decode(["id": "", "owner": "o", "balance": "x", "id": "a-2", "balance": "7"])
        #expect(good.ending == .next)
        #expect(good.text("id") == "a-2")
        #expect(good.values["balance"]?.integer == 7)
        let bad = try Sample.decode(["id": "a-1", "owner": "o", "id": " "])
        #expect(bad.failureMessage == "decode account event: id must not be empty")
        #expect(bad.text("id") == " ")
    }

    @Test(
        "Checks run in a fixed order: undeclared fields, text in declared order, numbers",
        arguments: [
            (["extra": "1", "balance": "x"], "unsupported field \"extra\""),
            (["id": "", "second": "1", "first": "2"], "unsupported field \"second\""),
            (["extra": "1", "extra": "2"], "unsupported field \"extra\""),
            (["": "1"], "unsupported field \"\""),
            (["ID": "a", "owner": "o"], "unsupported field \"ID\""),
            (["i": "a"], "unsupported field \"i\""),
            (["idx": "a"], "unsupported field \"idx\""),
            (["balance": "x"], "missing id"),
            ([:], "missing id"),
            (["owner": "", "id": "a"], "owner must not be empty"),
            (["owner": ""], "missing id"),
            (["id": " "], "id must not be empty"),
            (["id": "a", "balance": "x"], "missing owner"),
            (["balance": "x", "owner": "o", "id": "a"], "balance: \"x\" is not a whole number"),
        ] as [(KeyValuePairs<String, String>, String)])
    func order(fields: KeyValuePairs<String, String>, message: String) throws {
        let report = try Sample.decode(fields)
        #expect(report.failure?.message == "decode account event: \(message)")
        #expect(report.failure?.reason == "malformed_event")
    }

    @Test("A numeric field declared first is still checked after the text fields")
    func numbersLast() throws {
        let settings: SettingNode = [
            "fields": ["size": ["type": "int64", "required": "true"], "name": ["required": "true"]]
        ]
        #expect(try Sample.decode(["size": "x"], settings).failureMessage == "decode event: missing name")
        #expect(try Sample.decode(["name": "n"], settings).failureMessage == "decode event: missing size")
    }

    @Test("A blank number is refused as blank if blank values are refused, otherwise as not a number")
    func blankNumber() throws {
        let settings: SettingNode = ["fields": ["size": ["type": "int64", "blank": "reject"]]]
        #expect(try Sample.decode(["size": " "], settings).failureMessage == "decode event: size must not be empty")
        #expect(
            try Sample.decode(balance: " ").failureMessage
                == "decode account event: balance: \"\" is not a whole number")
    }

    @Test("An event that fails keeps the declared fields it has, so that a failure branch finds its key")
    func failureKeepsValues() throws {
        let report = try Sample.decode(["colour": "red", "id": "a-1", "id": "a-2", "balance": "x"])
        #expect(report.failure != nil)
        #expect(report.text("id") == "a-2")
        #expect(report.text("balance") == "x")
        #expect(report.values["balance"]?.integer == nil)
        #expect(report.values["owner"] == nil)
    }

    @Test("Undeclared fields are ignored if the settings say so")
    func ignoresUnknown() throws {
        let settings: SettingNode = ["fields": ["id": ["required": "true"]], "unknown_fields": "ignore"]
        let report = try Sample.decode(["other": "1", "id": "a", "more": "2"], settings)
        #expect(report.ending == .next)
        #expect(Array(report.values.keys) == ["id"])
    }

    @Test("Optional fields can be absent, and blank if allowed")
    func optional() throws {
        let settings: SettingNode = ["fields": ["note": [:], "tag": ["blank": "reject"]]]
        #expect(try Sample.decode([:], settings).ending == .next)
        #expect(try Sample.decode(["note": " "], settings).text("note") == " ")
        #expect(try Sample.decode(["tag": " "], settings).failureMessage == "decode event: tag must not be empty")
    }

    @Test("Entries of changing shapes are decoded correctly in any field order")
    func changingShapes() throws {
        let harness = try StageHarness(DecodeStage.self, Sample.settings)
        let shapes: [KeyValuePairs<String, String>] = [
            ["id": "1", "owner": "o", "balance": "5"], ["balance": "5", "owner": "o", "id": "1"],
            ["owner": "o", "id": "1"], ["id": "1", "balance": "5", "owner": "o"],
        ]
        for report in harness.process((shapes + shapes).map { SampleEntry($0) }) {
            #expect(report.ending == .next)
            #expect(report.text("id") == "1")
            #expect(report.text("owner") == "o")
            #expect([nil, 5].contains(report.values["balance"]?.integer))
        }
    }

    @Test("Fields at the end of an entry and names of any length are matched")
    func longEntriesAndNames() throws {
        let names =
            (1...40).map { String(repeating: "n", count: $0) } + ["nnnnnnnnnX", "Xnnnnnnnnn", "nnnnnnnnnnnnnnnX"]
        let settings: SettingNode = ["fields": .mapping(names.map { ($0, [:]) })]
        let harness = try StageHarness(DecodeStage.self, settings)
        let once = names.map { (name: Array($0.utf8), value: Array("value of \($0)".utf8)) }
        let entry = SampleEntry(bytes: once + once.reversed())
        for report in harness.process([entry, entry]) {
            #expect(report.ending == .next)
            #expect(names.allSatisfy { report.text($0) == "value of \($0)" })
        }
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            ([:], ["1:1: decode: missing setting \"fields\""]),
            (["fields": [:]], ["1:1: decode: fields: expected names with values, found none"]),
            (
                ["fields": ["a": ["type": .text("int46").at(4, 9)]]],
                ["4:9: decode: fields: a: type: unknown value \"int46\" (did you mean int64?)"]
            ),
            (
                ["fields": ["a": ["requierd": .text("true").at(3, 5)]]],
                ["3:5: decode: fields: a: unknown setting \"requierd\" (did you mean required?)"]
            ),
            (
                ["fields": ["a": [:]], "unknown_fields": .text("drop").at(2, 3), "event": .text(" ").at(3, 3)],
                [
                    "2:3: decode: unknown_fields: unknown value \"drop\" (one of reject, ignore)",
                    "3:3: decode: event: must not be blank",
                ]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<DecodeStage>.mistakes(settings) == messages)
    }
}
