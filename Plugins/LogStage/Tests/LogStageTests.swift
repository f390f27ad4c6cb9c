import LogStage
import StageKit
import StageTestKit
import Testing

@Suite struct LogStageTests {
    private let fixture = StageFixture(fields: ["id", "note"])

    private func line(_ entry: SampleEntry, _ settings: SettingNode = ["fields": ["id", "note"]]) throws
        -> RecordingLog.Line?
    {
        let report = try StageHarness(LogStage.self, settings, in: self.fixture).process([entry])[0]
        #expect(report.ending == .next)
        #expect(report.effects == [])
        return self.fixture.log.lines.last
    }

    @Test("Log keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            LogStage.self, ["fields": ["id"]],
            entries: [SampleEntry(["id": "a"]), SampleEntry([:], failure: StageFailure("bad"))], in: self.fixture)
        #expect(violations == [])
    }

    @Test("A line has the stream, the entry and the present fields")
    func metadata() throws {
        let line = try self.line(SampleEntry(["id": "a", "other": "x"]))
        #expect(
            line
                == RecordingLog.Line(
                    level: "info", message: "event", metadata: ["stream": "test:events", "entry": "1-0", "id": "a"]))
    }

    @Test("The line of a failed event also has the stage, the reason and the error")
    func failure() throws {
        var failure = StageFailure("decode: missing id", reason: "malformed_event")
        failure.stage = "decode"
        let line = try self.line(
            SampleEntry([:], failure: failure), ["level": "warning", "message": "account refused"])
        #expect(line?.level == "warning")
        #expect(line?.message == "account refused")
        #expect(
            line?.metadata == [
                "stream": "test:events", "entry": "1-0", "stage": "decode", "reason": "malformed_event",
                "error": "decode: missing id",
            ])
    }

    @Test(
        "A value that is not UTF-8 is logged as base64 under a separate name",
        arguments: [
            ([0xFF], "/w=="), ([0xFF, 0x00], "/wA="), ([0xC0, 0xA0, 0x21], "wKAh"),
            ([0xFB, 0xEF, 0xBE, 0xFF], "++++/w=="),
        ] as [([UInt8], String)])
    func base64(bytes: [UInt8], text: String) throws {
        let line = try self.line(SampleEntry(bytes: [(Array("note".utf8), bytes)]))
        #expect(line?.metadata["note_b64"] == text)
        #expect(line?.metadata["note"] == nil)
    }

    @Test("An empty value is shown as such")
    func emptyValue() throws {
        #expect(try self.line(SampleEntry(["note": ""]))?.metadata["note"] == "")
    }

    @Test("A long value is cut at 1024 bytes, never within a character")
    func longValue() throws {
        let ascii = String(repeating: "x", count: 1024)
        #expect(try self.line(SampleEntry(["note": ascii]))?.metadata["note"] == ascii)
        #expect(try self.line(SampleEntry(["note": ascii + "y"]))?.metadata["note"] == ascii + "…")
        let emoji = String(repeating: "x", count: 1022) + "😀"
        #expect(
            try self.line(SampleEntry(["note": emoji]))?.metadata["note"] == String(repeating: "x", count: 1022) + "…")
        let bytes = Array(repeating: UInt8(0x80), count: 3000)
        let line = try self.line(SampleEntry(bytes: [(Array("note".utf8), bytes)]))
        #expect(line?.metadata["note_b64"]?.hasSuffix("…") == true)
    }

    @Test(
        "Every log level is accepted",
        arguments: ["trace", "debug", "info", "notice", "warning", "error", "critical"])
    func levels(name: String) throws {
        #expect(try self.line(SampleEntry([:]), ["level": .text(name)])?.level == name)
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (
                ["level": .text("warn").at(2, 3)],
                "2:3: log: level: unknown value \"warn\" (one of trace, debug, info, notice, warning, error, critical)"
            ),
            (["message": .text("").at(2, 3)], "2:3: log: message: must not be blank"),
            (
                ["fields": [.text("ids").at(2, 3)]],
                "2:3: log: no earlier stage provides the field \"ids\" (did you mean id?)"
            ),
        ] as [(SettingNode, String)])
    func mistakes(settings: SettingNode, message: String) {
        #expect(StageHarness<LogStage>.mistakes(settings, in: self.fixture) == [message])
    }
}
