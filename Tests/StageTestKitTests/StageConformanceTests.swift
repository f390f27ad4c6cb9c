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
        "Each violation is found",
        arguments: [
            (.revokesWhenMade, "creating the stage has effects"),
            (.effectOnFailure, "a failed event has effects: [\"rogue\"]"),
            (.settlesOnFailure, "a failed event has a settled outcome"),
            (.revokesOnFailure, "a failing call has external effects: nothing there"),
            (.silentFailure, "a failure has no message"),
            (.recordsThoughPure, "a pure stage records effects"),
            (.settlesThoughPure, "a pure stage settles outcomes"),
            (.revokesThoughPure, "a pure stage has external effects"),
            (.changesItsMind, "a pure stage behaves differently with the same batch"),
            (.failsAtTheEnd, "endBatch fails: "),
            (.failsWithoutEvents, "endBatch fails on an empty batch: "),
            (.revokesWithoutEvents, "endBatch of an empty batch has effects"),
            (.remembersFailures, "a failed event changes how the stage handles later events"),
            (.sharesWhatItCounts, "another instance behaves differently with the same entries"),
            (.countsWithinABatch, "the stage behaves differently if batches are split differently"),
            (.changesWhenPrepared, "prepare has effects"),
            (.namesAtRandom, "creating the stage again gives it other fields or effects"),
            (.waitsUndeclared, "an event waits, but the declaration does not say waits: true"),
            (.reasonFromTheEvent, "a failure's reason is not in lower_snake_case: "),
            (.refusesEverything, "no sample entry is accepted: provide one, or nothing is checked"),
        ] as [(Misdeed, String)])
    func found(misdeed: Misdeed, violation: String) async {
        let violations = await self.violations(misdeed)
        #expect(violations.contains { $0.hasPrefix(violation) }, "\(violations)")
    }

    @Test(
        "A waiting stage keeps the contract, or its violation is found",
        arguments: [
            (.none, nil), (.throwsForOne, "complete fails: "), (.failsWithoutWords, "a failure has no message"),
            (.revokesForTheFailed, "a failing call has external effects: no fields"),
            (.forgetsTheEarlier, "the stage behaves differently if batches are split differently"),
            (.expandsUndeclared, "an event is expanded, but the declaration does not say expands: true"),
        ] as [(WaitingMisdeed, String?)])
    func waiting(misdeed: WaitingMisdeed, violation: String?) async {
        let found = await StageConformance.check(
            RogueWaitingStage.self, ["misdeed": .text(misdeed.rawValue)],
            entries: [SampleEntry(["a": "b"]), SampleEntry([:]), SampleEntry(["c": "d"])])
        if let violation {
            #expect(found.contains { $0.hasPrefix(violation) }, "\(found)")
        } else {
            #expect(found == [])
        }
    }

    @Test(
        "A stage that skips its effects for an entry that is read again is found",
        arguments: [
            (.none, nil),
            (
                .ends,
                "an event that continued at first does not continue when it is read again: "
                    + "finished(StageKit.Outcome.skipped"
            ),
            (.fails, "an event that continued at first does not continue when it is read again: failed"),
            (.revokesOnce, "the revocations differ when an entry is read again"),
        ] as [(RereadingMisdeed, String?)])
    func rereading(misdeed: RereadingMisdeed, violation: String?) async {
        let found = await StageConformance.check(
            RogueRereadingStage.self, ["misdeed": .text(misdeed.rawValue)],
            entries: [SampleEntry(["id": "a"]), SampleEntry(["id": "b"])],
            in: StageFixture(fields: ["id"], stores: [RecordingStore(name: "held", key: "id")]))
        if let violation {
            #expect(found.contains { $0.hasPrefix(violation) }, "\(found)")
        } else {
            #expect(found == [])
        }
    }

    @Test("Every kind of violation is tested")
    func complete() async {
        for misdeed in Misdeed.allCases where misdeed != .none {
            #expect(await !self.violations(misdeed).isEmpty, "\(misdeed)")
        }
    }

    @Test("Settings that the stage refuses are reported")
    func refusedSettings() async {
        let violations = await StageConformance.check(
            RogueStage.self, ["misdeed": "other"], entries: [SampleEntry(["a": "b"])])
        #expect(violations.count == 1)
        #expect(violations.first?.hasPrefix("valid settings are refused: rogue: misdeed: unknown value") == true)
    }

    @Test("An invalid declaration is reported with all its errors")
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
