import StageKit
import StageTestKit
import Testing
import ValidateStage

@Suite struct ValidateStageTests {
    private let settings: SettingNode = [
        "status": ["one_of": ["active", "revoked"]], "plan": ["one_of": ["", "free"]],
    ]
    private let fixture = StageFixture(fields: ["status", "plan"])

    private func report(_ fields: KeyValuePairs<String, String>) throws -> EventReport {
        try StageHarness(ValidateStage.self, self.settings, in: self.fixture).process([SampleEntry(fields)])[0]
    }

    @Test("Validate keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            ValidateStage.self, self.settings,
            entries: [SampleEntry(["status": "active"]), SampleEntry(["status": "gone"])], in: self.fixture)
        #expect(violations == [])
    }

    @Test(
        "Values among the allowed ones pass, and so do fields without a value",
        arguments: [
            [:], ["status": "active"], ["status": "revoked", "plan": "free"], ["plan": ""], ["other": "x"],
        ] as [KeyValuePairs<String, String>])
    func passes(fields: KeyValuePairs<String, String>) throws {
        #expect(try self.report(fields).ending == .next)
    }

    @Test(
        "Any other value fails, byte for byte",
        arguments: [
            ("Active", "\"Active\""), ("active ", "\"active \""), ("", "\"\""), ("activ", "\"activ\""),
            ("active\0", "\"active\\x00\""), ("revoked\n", "\"revoked\\n\""),
        ])
    func fails(value: String, quoted: String) throws {
        let failure = try self.report(["status": value]).failure
        #expect(failure?.message == "validate: status: unsupported value \(quoted) (one of active, revoked)")
        #expect(failure?.reason == "invalid_event")
    }

    @Test("The first field of the file that breaks a rule is reported")
    func order() throws {
        let report = try self.report(["plan": "paid", "status": "gone"])
        #expect(report.failureMessage?.hasPrefix("validate: status:") == true)
    }

    @Test("Required expressions are checked after the rules, and their errors fail the event")
    func require() throws {
        let settings: SettingNode = [
            "require": ["status != 'revoked' || has(plan)", "size(plan) < 5"],
            "status": ["one_of": ["active", "revoked"]],
        ]
        let harness = try StageHarness(ValidateStage.self, settings, in: self.fixture)
        let reports = harness.process([
            SampleEntry(["status": "active", "plan": "free"]), SampleEntry(["status": "revoked"]),
            SampleEntry(["status": "active", "plan": "annual"]), SampleEntry(["status": "gone"]),
            SampleEntry(["status": "active"]),
        ])
        #expect(reports[0].ending == .next)
        #expect(
            reports.dropFirst().map(\.failureMessage) == [
                "validate: require: \"status != 'revoked' || has(plan)\" does not hold",
                "validate: require: \"size(plan) < 5\" does not hold",
                "validate: status: unsupported value \"gone\" (one of active, revoked)",
                "validate: require: \"plan\" is missing",
            ])
        #expect(reports[1].failure?.reason == "invalid_event")
        let single = try StageHarness(ValidateStage.self, ["require": "status == 'active'"], in: self.fixture)
        #expect(single.process([SampleEntry(["status": "active"])])[0].ending == .next)
    }

    @Test("An expression decides whether a field is required, and its error fails the event")
    func requiredIf() throws {
        let settings: SettingNode = ["plan": ["required_if": "status.startsWith('a')"]]
        let harness = try StageHarness(ValidateStage.self, settings, in: self.fixture)
        let reports = harness.process([
            SampleEntry(["status": "active"]), SampleEntry(["status": "gone"]), SampleEntry([:]),
        ])
        #expect(
            reports.map(\.failureMessage) == [
                "validate: plan: missing (required if status.startsWith('a'))", nil,
                "validate: plan: required_if: \"status\" is missing",
            ])
    }

    @Test("A rule with one value needs no brackets")
    func single() throws {
        let harness = try StageHarness(ValidateStage.self, ["status": ["one_of": "active"]], in: self.fixture)
        let reports = harness.process([SampleEntry(["status": "active"]), SampleEntry(["status": "revoked"])])
        #expect(reports[0].ending == .next)
        #expect(
            reports[1].failureMessage == "validate: status: unsupported value \"revoked\" (one of active)")
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            ([:], ["1:1: validate: expected names with values, found none"]),
            ("status", ["1:1: validate: expected names with values, found text"]),
            (
                ["status": .mapping([]).at(2, 5)],
                [
                    "2:5: validate: status: expected a rule "
                        + "(required_if, one_of, pattern, length, range, not_in_future)"
                ]
            ),
            (
                ["status": ["one_of": .list([]).at(3, 5)]],
                ["3:5: validate: status: one_of: expected a list with at least 1 item"]
            ),
            (
                ["status": ["oneof": .list(["x"]).at(4, 5)]],
                ["4:5: validate: status: unknown setting \"oneof\" (did you mean one_of?)"]
            ),
            (
                ["statsu": .mapping([("one_of", "x")]).at(5, 3)],
                ["5:3: validate: no earlier stage provides the field \"statsu\" (did you mean status?)"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<ValidateStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
