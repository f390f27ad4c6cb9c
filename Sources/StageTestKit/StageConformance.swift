public import StageKit

/// The contract that holds for every stage, as written at `Stage`.
public enum StageConformance {
    /// What a stage does against the contract, one sentence each; empty for a stage that keeps it.
    ///
    /// - Parameters:
    ///   - settings: Valid settings.
    ///   - entries: What the stage works on; it must accept at least one of them.
    ///   - fixture: The fields and stores that the settings name.
    public static func check<S: Stage>(
        _ type: S.Type, _ settings: SettingNode, entries: [SampleEntry], in fixture: StageFixture = StageFixture()
    ) async -> [String] {
        let check = ConformanceCheck<S>(settings: settings, fixture: fixture)
        var violations = DeclarationCheck.violations(of: StageType(type))
        do {
            violations += try check.making()
            violations += try await check.processing(entries)
            violations += try await check.hostileEntries()
            if S.declaration.isPure { violations += try await check.purity(entries) }
        } catch let refused as StageRefused {
            violations += refused.issues.map { "valid settings are refused: \($0.message)" }
        } catch {
            violations.append("endBatch fails: \(error)")
        }
        return violations
    }
}

/// What holds for every declaration.
enum DeclarationCheck {
    /// What the declaration does against the contract, one sentence each.
    static func violations(of type: StageType) -> [String] {
        var found: [String] = []
        if !self.isSnakeCase(type.name) { found.append("the name \"\(type.name)\" is not in lower_snake_case") }
        if !self.isSnakeCase(type.failureReason) {
            found.append("the failure reason \"\(type.failureReason)\" is not in lower_snake_case")
        }
        if !self.isSentence(type.summary) { found.append("the summary is not one sentence: \"\(type.summary)\"") }
        if !type.example.contains("\(type.name):") { found.append("the example does not use the stage") }
        return found
    }

    /// Whether it is words of a to z and digits, joined by `_`, a letter first.
    static func isSnakeCase(_ name: String) -> Bool {
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        return words.allSatisfy { word in
            !word.isEmpty && word.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
        } && name.first?.isLetter == true
    }

    /// Whether it begins with a capital letter, ends with a full stop and has none before.
    static func isSentence(_ text: String) -> Bool {
        text.first?.isUppercase == true && text.hasSuffix(".") && text.count > 1
            && !text.contains("\n") && !text.contains(". ")
    }
}

/// What holds for every instance.
struct ConformanceCheck<S: Stage> {
    /// Valid settings.
    var settings: SettingNode
    /// What they name.
    var fixture: StageFixture

    private func makeHarness() throws(StageRefused) -> StageHarness<S> {
        try StageHarness(S.self, self.settings, in: self.fixture)
    }

    /// Making a stage twice works and is not seen from outside; an unknown setting is refused where it stands.
    func making() throws -> [String] {
        var found: [String] = []
        let before = self.fixture.traces
        _ = try self.makeHarness()
        _ = try self.makeHarness()
        if self.fixture.traces != before { found.append("making the stage has effects") }

        let mark = SourceMark(line: 7077, column: 77)
        let unknown = SettingNode.Entry(key: "no_such_setting", mark: mark, value: SettingNode(.null, at: mark))
        let entries = (self.settings.entries ?? []) + [unknown]
        do throws(StageRefused) {
            _ = try StageHarness(S.self, SettingNode(.mapping(entries), at: self.settings.mark), in: self.fixture)
            found.append("an unknown setting is accepted")
        } catch {
            if !error.issues.contains(where: { $0.mark == mark }) {
                found.append("an unknown setting is refused without its place: \(error.issues.map(\.message))")
            }
        }
        return found
    }

    /// The samples are worked on, and one that fails leaves no effect.
    func processing(_ entries: [SampleEntry]) async throws -> [String] {
        let harness = try self.makeHarness()
        var found: [String] = []
        var accepted = 0
        for entry in entries {
            let before = self.fixture.traces
            let report = harness.process([entry])[0]
            if report.failure == nil { accepted += 1 }
            found += self.leftovers(of: report, before: before)
            try await harness.stage.endBatch()
        }
        if accepted == 0 { found.append("no sample entry is accepted: give one, or nothing is checked") }
        return found
    }

    /// Entries that no one sends on purpose are worked on or fail, and no such failure leaves an effect.
    func hostileEntries() async throws -> [String] {
        let harness = try self.makeHarness()
        var found: [String] = []
        let notText: [UInt8] = [0xFF, 0xC0, 0x80, 0xED, 0xA0, 0x80, 0x00]
        let names = self.fixture.fields.map { Array($0.utf8) }
        let hostile = [
            SampleEntry([:]),
            SampleEntry(bytes: [([], [])]),
            SampleEntry(bytes: (0..<1000).map { (Array("field\($0)".utf8), Array("\($0)".utf8)) }),
            SampleEntry(bytes: Array(repeating: (Array("same".utf8), []), count: 1000)),
            SampleEntry(bytes: [(notText, notText)]),
            SampleEntry(bytes: names.map { ($0, notText) }),
            SampleEntry(bytes: names.map { ($0, []) }),
            SampleEntry(bytes: names.map { ($0, Array(repeating: UInt8(ascii: "x"), count: 1 << 20)) }),
        ]
        for entry in hostile {
            let before = self.fixture.traces
            found += self.leftovers(of: harness.process([entry])[0], before: before)
            try await harness.stage.endBatch()
        }
        return found
    }

    /// A pure stage records nothing, settles nothing, and does the same again on the same batch.
    func purity(_ entries: [SampleEntry]) async throws -> [String] {
        let harness = try self.makeHarness()
        var found: [String] = []
        let before = self.fixture.traces
        var numbered = entries
        for index in numbered.indices { numbered[index].id = EntryID(milliseconds: UInt64(index + 1), sequence: 0) }
        let first = harness.process(numbered)
        try await harness.stage.endBatch()
        let second = harness.process(numbered)
        try await harness.stage.endBatch()
        if first != second { found.append("a pure stage does something else on the same batch") }
        if first.contains(where: { !$0.effects.isEmpty }) { found.append("a pure stage records effects") }
        if first.contains(where: { $0.settled != nil }) { found.append("a pure stage settles outcomes") }
        if self.fixture.traces != before { found.append("a pure stage is seen from outside") }
        return found
    }

    private func leftovers(of report: EventReport, before: [String]) -> [String] {
        guard let failure = report.failure else { return [] }
        var found: [String] = []
        if failure.message.isEmpty { found.append("a failure has no message") }
        if !report.effects.isEmpty { found.append("a failed event has effects: \(report.effects)") }
        if report.settled != nil { found.append("a failed event has a settled outcome") }
        if self.fixture.traces != before { found.append("a failing call is seen from outside: \(failure.message)") }
        return found
    }
}
