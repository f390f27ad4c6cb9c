import StageKit
import StageTestKit
import Testing

@testable import RedisStreams

@Suite struct RedisStreamSettingsTests {
    @Test(
        "Each form of a start is read",
        arguments: [
            ("tail", StreamStart.tail), ("beginning", .beginning),
            ("5", .after(EntryID(milliseconds: 5, sequence: 0))),
            ("5-7", .after(EntryID(milliseconds: 5, sequence: 7))), ("-15m", .back(.seconds(900))),
        ])
    func starts(text: String, start: StreamStart) throws {
        #expect(try StreamStart(text) == start)
    }

    @Test(
        "Any other start is refused", arguments: ["", "$", "end", "-", "-15", "15m", "--5m", "-0s", "5-7-9"])
    func refusedStarts(text: String) {
        #expect(throws: SettingRefusal.self) { try StreamStart(text) }
    }

    @Test("A relative time begins just below its first millisecond, and never below zero")
    func timeBack() {
        let cursor = StreamStart.cursor(back: .seconds(1), serverMilliseconds: 5000)
        #expect(cursor == EntryID(milliseconds: 3999, sequence: .max))
        #expect(cursor < EntryID(milliseconds: 4000, sequence: 0))
        #expect(StreamStart.cursor(back: .seconds(5), serverMilliseconds: 5000) == .zero)
        #expect(StreamStart.cursor(back: .seconds(3600), serverMilliseconds: 5000) == .zero)
    }

    @Test(
        "Settings out of range are errors",
        arguments: [
            ([("stream", " ")], "must not be blank"), ([], "missing setting \"stream\""),
            ([("stream", "s"), ("read_count", "0")], "0 is out of range"),
            ([("stream", "s"), ("read_count", "100001")], "100001 is out of range"),
            ([("stream", "s"), ("read_block", "999us")], "too short: the minimum is 1ms"),
        ])
    func outOfRange(entries: [(String, String)], message: String) {
        let (value, issues) = RedisStreamSettings.type.decoded(.lines(entries.map { ($0.0, SettingNode.text($0.1)) }))
        #expect(value == nil)
        #expect(issues.contains { $0.contains(message) }, "\(issues)")
    }

    @Test(
        "The default max_staleness suits idle streams, and one word switches it off",
        arguments: [
            ([], .seconds(30)), ([("read_block", "20s")], .seconds(44)),
            ([("read_block", "1s"), ("read_margin", "30s")], .seconds(62)), ([("max_staleness", "off")], nil),
            ([("max_staleness", "7s")], .seconds(7)),
        ] as [([(String, String)], Duration?)])
    func staleness(entries: [(String, String)], limit: Duration?) {
        let (value, issues) = RedisStreamSettings.type.decoded(
            .lines([("stream", SettingNode.text("s"))] + entries.map { ($0.0, SettingNode.text($0.1)) }))
        #expect(value?.maxStaleness == limit && issues.isEmpty, "\(issues)")
        let group: [(String, SettingNode)] = [("stream", "s"), ("group", "g")]
        #expect(RedisStreamSettings.type.decoded(.lines(group)).value?.maxStaleness == nil)
        let refused = RedisStreamSettings.type.decoded(.lines(group + [("max_staleness", "off")])).issues
        #expect(refused.contains { $0.contains("cannot be combined with group") }, "\(refused)")
    }

    @Test("The defaults match the documentation")
    func defaults() {
        let (value, _) = RedisStreamSettings.type.decoded(.lines([("stream", "s")]))
        #expect(value?.start == .tail && value?.readCount == 128 && value?.readBlock == .seconds(5))
    }
}

@Suite struct RevocationSettingsTests {
    private func decodePublish(_ entries: [(String, String)]) -> (value: RevocationSettings?, issues: [String]) {
        let publish = SettingNode.lines(entries.map { ($0.0, SettingNode.text($0.1)) })
        return RevocationSettings.type.decoded(.lines([("publish", publish)]))
    }

    @Test("A channel, or a stream with its length, is read")
    func targets() {
        #expect(self.decodePublish([("channel", "c")]).value?.target == .channel("c"))
        #expect(self.decodePublish([("stream", "s")]).value?.target == .stream("s", maxLength: 100_000))
        let short = self.decodePublish([("stream", "s"), ("max_length", "5")])
        #expect(short.value?.target == .stream("s", maxLength: 5))
    }

    @Test(
        "Neither, both, or a length for a channel is an error",
        arguments: [
            ([], "missing setting \"channel\" or \"stream\""),
            ([("channel", "c"), ("stream", "s")], "both given"),
            ([("channel", "c"), ("max_length", "5")], "requires a stream"),
        ])
    func contradictions(entries: [(String, String)], message: String) {
        let (value, issues) = self.decodePublish(entries)
        #expect(value == nil)
        #expect(issues.contains { $0.contains(message) }, "\(issues)")
    }
}
