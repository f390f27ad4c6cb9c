import StageKit
import StageTestKit
import Testing
import ValidateStage

@Suite struct RuleTests {
    /// The clock stands at 1700000000000.
    private let fixture = StageFixture(fields: ["code", "amount", "status", "at"])

    private func message(_ settings: SettingNode, _ fields: KeyValuePairs<String, String>) throws -> String? {
        let report = try StageHarness(ValidateStage.self, settings, in: self.fixture).process([SampleEntry(fields)])[0]
        #expect(report.ending == .next || report.failure?.reason == "invalid_event")
        return report.failureMessage
    }

    @Test("All rules together keep the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            ValidateStage.self,
            [
                "code": ["pattern": "[a-z]+", "length": ["max": "5", "unit": "bytes"]],
                "amount": ["range": ["min": "0"], "required_if": ["status": "paid"]], "at": ["not_in_future": "1s"],
            ],
            entries: [
                SampleEntry(["code": "abc", "amount": "1", "at": "1"]), SampleEntry(["code": "ABC"]),
                SampleEntry(["status": "paid"]), SampleEntry(["at": "9999999999999"]),
            ], in: self.fixture)
        #expect(violations == [])
    }

    @Test(
        "A value must match the pattern",
        arguments: [
            ("ab", nil), ("", "\"\" does not match the pattern [a-z]{2}"),
            ("abc", "\"abc\" does not match the pattern [a-z]{2}"),
            ("a\n", "\"a\\n\" does not match the pattern [a-z]{2}"),
        ] as [(String, String?)])
    func pattern(value: String, problem: String?) throws {
        #expect(
            try self.message(["code": ["pattern": "[a-z]{2}"]], ["code": value])
                == problem.map { "validate: code: \($0)" })
    }

    @Test(
        "A length counts characters, or bytes if the file says so",
        arguments: [
            (["min": "2", "max": "3"], "ab", nil), (["min": "2", "max": "3"], "äöü", nil),
            (["min": "2", "max": "3"], "ä", "\"ä\" has 1 character (2 to 3)"),
            (["min": "2", "max": "3"], "äöü😀", "\"äöü😀\" has 4 characters (2 to 3)"),
            (["max": "3"], "", nil), (["min": "1"], "", "\"\" has 0 characters (at least 1)"),
            (["max": "3", "unit": "bytes"], "äö", "\"äö\" has 4 bytes (at most 3)"),
            (["max": "4", "unit": "bytes"], "äö", nil),
            (["min": "2", "unit": "bytes"], "x", "\"x\" has 1 byte (at least 2)"),
        ] as [(SettingNode, String, String?)])
    func length(rule: SettingNode, value: String, problem: String?) throws {
        #expect(
            try self.message(["code": ["length": rule]], ["code": value]) == problem.map { "validate: code: \($0)" })
    }

    @Test("Invalid bytes count as one character each")
    func lengthOfRawBytes() throws {
        let harness = try StageHarness(ValidateStage.self, ["code": ["length": ["max": "2"]]], in: self.fixture)
        let name = Array("code".utf8)
        let reports = harness.process([
            SampleEntry(bytes: [(name, [0xFF, 0xFE])]), SampleEntry(bytes: [(name, [0xFF, 0xFE, 0xFD])]),
        ])
        #expect(reports[0].ending == .next)
        #expect(reports[1].failureMessage == "validate: code: \"\\xff\\xfe\\xfd\" has 3 characters (at most 2)")
    }

    @Test(
        "A number must be in the range, read as decode reads numbers",
        arguments: [
            (["min": "10", "max": "20"], "10", nil), (["min": "10", "max": "20"], " +20 ", nil),
            (["min": "10", "max": "20"], "9", "9 is out of range (10 to 20)"),
            (["min": "10", "max": "20"], "0021", "21 is out of range (10 to 20)"),
            (["min": "0"], "-1", "-1 is out of range (at least 0)"), (["min": "0"], "9223372036854775807", nil),
            (["max": "-5"], "-4", "-4 is out of range (at most -5)"), (["max": "-5"], "-9223372036854775808", nil),
            (["max": "5"], "much", "\"much\" is not a whole number (at most 5)"),
            (["max": "5"], "1.5", "\"1.5\" is not a whole number (at most 5)"),
            (["max": "5"], "", "\"\" is not a whole number (at most 5)"),
            (["max": "5"], "99999999999999999999", "\"99999999999999999999\" is not a whole number (at most 5)"),
        ] as [(SettingNode, String, String?)])
    func range(rule: SettingNode, value: String, problem: String?) throws {
        #expect(
            try self.message(["amount": ["range": rule]], ["amount": value])
                == problem.map { "validate: amount: \($0)" })
    }

    @Test("A field may be required by the values of others")
    func requiredIf() throws {
        let settings: SettingNode = ["amount": ["required_if": ["status": ["paid", "refunded"], "code": "x"]]]
        #expect(try self.message(settings, [:]) == nil)
        #expect(try self.message(settings, ["status": "paid"]) == nil)
        #expect(try self.message(settings, ["status": "open", "code": "x"]) == nil)
        #expect(try self.message(settings, ["status": "paid", "code": "x", "amount": ""]) == nil)
        #expect(
            try self.message(settings, ["status": "refunded", "code": "x"])
                == "validate: amount: missing (required if status: [paid, refunded], code: x)")
    }

    @Test(
        "A time may be ahead of the clock by the configured tolerance",
        arguments: [
            ("5s", "1700000000000", nil), ("5s", "1700000005000", nil), ("5s", "0", nil),
            ("5s", "-9223372036854775808", nil),
            ("5s", "1700000005001", "1700000005001 is 5001 ms in the future (at most 5s)"),
            ("0s", "1700000000001", "1700000000001 is 1 ms in the future (at most 0s)"),
            ("5s", "9223372036854775807", "9223372036854775807 is 9223370336854775807 ms in the future (at most 5s)"),
            ("5s", "soon", "\"soon\" is not a time in milliseconds since 1970"),
        ] as [(String, String, String?)])
    func notInFuture(allowed: String, value: String, problem: String?) throws {
        #expect(
            try self.message(["at": ["not_in_future": .text(allowed)]], ["at": value])
                == problem.map { "validate: at: \($0)" })
    }

    @Test("The clock is read again for each batch")
    func clock() async throws {
        let clock = CountingClock()
        var fixture = self.fixture
        fixture.clock = WallClock { clock.next() }
        let harness = try StageHarness(ValidateStage.self, ["at": ["not_in_future": "0s"]], in: fixture)
        // The clock says 1000, then 2000.
        let entry = SampleEntry(["at": "1500"])
        let first = try await harness.feed(entry, entry)
        let second = try await harness.feed(entry)
        #expect(first.map { $0.failure == nil } == [false, false])
        #expect(second[0].ending == .next)
        #expect(clock.count == 2)
    }

    @Test(
        "No message shows the value of a secret field",
        arguments: [
            (["one_of": ["a"]], "unsupported value [secret] (one of a)"),
            (["pattern": "[a-z]"], "[secret] does not match the pattern [a-z]"),
            (["length": ["max": "3"]], "[secret] is too short or too long (characters: at most 3)"),
            (["range": ["max": "3"]], "[secret] is out of range (at most 3)"),
            (["not_in_future": "1s"], "[secret] is in the future (at most 1s)"),
        ] as [(SettingNode, String)])
    func secrets(rule: SettingNode, problem: String) throws {
        var fixture = self.fixture
        fixture.secrets = ["code"]
        let harness = try StageHarness(ValidateStage.self, ["code": rule], in: fixture)
        let secret = "1987654321000"
        #expect(harness.process([SampleEntry(["code": secret])])[0].failureMessage == "validate: code: \(problem)")
        fixture.secrets = []
        let shown = try StageHarness(ValidateStage.self, ["code": rule], in: fixture)
        #expect(shown.process([SampleEntry(["code": secret])])[0].failureMessage?.contains(secret) == true)
    }

    @Test("If several rules are broken, the first in the table of rules is reported")
    func order() throws {
        let settings: SettingNode = [
            "code": ["length": ["min": "3"], "pattern": "[a-z]*", "one_of": ["ab", "AB", "abc"]]
        ]
        #expect(try self.message(settings, ["code": "abc"]) == nil)
        #expect(try self.message(settings, ["code": "x"])?.contains("unsupported value") == true)
        #expect(try self.message(settings, ["code": "AB"])?.contains("pattern") == true)
        #expect(try self.message(settings, ["code": "ab"])?.contains("has 2 characters") == true)
    }

    @Test(
        "Invalid rules are refused with their position",
        arguments: [
            (
                ["code": ["pattern": .text("a(b").at(2, 9)]],
                ["2:9: validate: code: pattern: character 2: a ( without ) (write \\( for a literal one)"]
            ),
            (["code": ["length": .mapping([]).at(2, 9)]], ["2:9: validate: code: length: expected min, max or both"]),
            (
                ["code": ["length": .mapping([("min", "3"), ("max", "2")]).at(2, 9)]],
                ["2:9: validate: code: length: min 3 is above max 2"]
            ),
            (
                ["code": ["length": ["max": .text("-1").at(3, 9)]]],
                ["3:9: validate: code: length: max: -1 is out of range: it must be from 0 to 1073741823"]
            ),
            (
                ["code": ["length": ["max": "1", "unit": .text("letters").at(3, 9)]]],
                ["3:9: validate: code: length: unit: unknown value \"letters\" (one of characters, bytes)"]
            ),
            (
                ["amount": ["range": ["max": .text("1.5").at(3, 9)]]],
                ["3:9: validate: amount: range: max: expected a whole number, found \"1.5\""]
            ),
            (
                ["at": ["not_in_future": .text("true").at(3, 9)]],
                ["3:9: validate: at: not_in_future: expected a duration such as 250ms, 5s or 2m, found \"true\""]
            ),
            (
                ["at": ["not_in_future": .text("-5s").at(3, 9)]],
                ["3:9: validate: at: not_in_future: -5s is too short: the minimum is 0us"]
            ),
            (
                ["amount": ["required_if": .mapping([("statsu", .text("paid").at(4, 9))])]],
                [
                    "4:9: validate: amount: required_if: no earlier stage provides the field \"statsu\" (did you mean status?)"
                ]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<ValidateStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
