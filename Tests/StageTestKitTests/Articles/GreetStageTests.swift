import StageKit
import StageTestKit
import Testing

/// The tests that the articles of StageKit show.
@Suite struct GreetStageTests {
    private let fixture = StageFixture(fields: ["user_id"])

    @Test func `Greet keeps the contract of stages`() async {
        let violations = await StageConformance.check(
            GreetStage.self, ["name": "user_id"],
            entries: [SampleEntry(["user_id": "ann"]), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test func `The greeting consists of the words and the name`() async throws {
        let stage = try StageHarness(
            GreetStage.self, ["name": "user_id", "words": "Welcome, "], in: self.fixture)
        let reports = try await stage.feed(SampleEntry(["user_id": "ann"]))
        #expect(reports[0].text("greeting") == "Welcome, ann")
    }

    @Test func `An event without a name fails`() async throws {
        let stage = try StageHarness(GreetStage.self, ["name": "user_id"], in: self.fixture)
        let reports = try await stage.feed(SampleEntry([:]))
        #expect(reports[0].failureMessage == "greet: the name is missing")
    }

    @Test func `A field that no stage provides is reported`() {
        let mistakes = StageHarness<GreetStage>.mistakes(["name": "userid"], in: self.fixture)
        #expect(
            mistakes == [
                "1:1: greet: no earlier stage provides the field \"userid\" (did you mean user_id?)"
            ])
    }

    @Test func `The one line of a plugin lists its stage types`() {
        #expect(plugin.map(\.name) == ["greet"])
    }
}
