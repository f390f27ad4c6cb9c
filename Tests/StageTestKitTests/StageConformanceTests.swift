import StageKit
import StageTestKit
import Testing

@Suite struct StageConformanceTests {
    private func violations(_ misdeed: Misdeed) async -> [String] {
        await StageConformance.check(
            RogueStage.self, ["misdeed": .text(misdeed.rawValue)],
            entries: [SampleEntry(["a": "b"]), SampleEntry(["c": "d"]), SampleEntry(["e": "f"])])
    }

    @Test("A stage that keeps the contract has no violations")
    func conforming() async {
        #expect(await self.violations(.none) == [])
    }

    @Test(
        "Each misdeed is found",
        arguments: [
            (.revokesWhenMade, "making the stage has effects"),
            (.effectOnFailure, "a failed event has effects: [\"rogue\"]"),
            (.settlesOnFailure, "a failed event has a settled outcome"),
            (.revokesOnFailure, "a failing call is seen from outside: nothing there"),
            (.silentFailure, "a failure has no message"),
            (.recordsThoughPure, "a pure stage records effects"),
            (.settlesThoughPure, "a pure stage settles outcomes"),
            (.revokesThoughPure, "a pure stage is seen from outside"),
            (.changesItsMind, "a pure stage does something else on the same batch"),
            (.failsAtTheEnd, "endBatch fails: "),
            (.refusesEverything, "no sample entry is accepted: give one, or nothing is checked"),
        ] as [(Misdeed, String)])
    func found(misdeed: Misdeed, violation: String) async {
        let violations = await self.violations(misdeed)
        #expect(violations.contains { $0.hasPrefix(violation) }, "\(violations)")
    }

    @Test("Settings that the stage refuses are told")
    func refusedSettings() async {
        let violations = await StageConformance.check(
            RogueStage.self, ["misdeed": "other"], entries: [SampleEntry(["a": "b"])])
        #expect(violations.count == 1)
        #expect(violations.first?.hasPrefix("valid settings are refused: rogue: misdeed: unknown value") == true)
    }

    @Test("A bad declaration is told with everything that is wrong with it")
    func badDeclaration() async {
        let violations = await StageConformance.check(
            BadlyDeclaredStage.self, [:], entries: [SampleEntry(["a": "b"])])
        #expect(
            violations == [
                "the name \"Badly-Declared\" is not in lower_snake_case",
                "the failure reason \"Failure\" is not in lower_snake_case",
                "the summary is not one sentence: \"does things. And more\"", "the example does not use the stage",
                "an unknown setting is accepted",
            ])
    }
}
