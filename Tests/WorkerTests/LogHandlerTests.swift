import Logging
import Synchronization
import Testing

@testable import Operations

@Suite struct LogHandlerTests {
    /// Keeps what is written.
    final class Lines: Sendable {
        private let kept = Mutex<[String]>([])

        /// The lines so far.
        var all: [String] { self.kept.withLock { $0 } }

        /// An output that keeps lines, at a fixed time.
        func output() -> LogOutput {
            LogOutput(now: { 1_700_000_000_123 }) { line in
                let text = String(decoding: line, as: UTF8.self)
                self.kept.withLock { $0.append(text) }
            }
        }

        /// A logger of this format that writes here.
        func logger(_ format: LogFormat) -> Logger {
            Logger(label: "sluice.pipeline") { format.handler(label: $0, level: .info, output: self.output()) }
        }
    }

    @Test(
        "A text line has time, level, logger, message and metadata, quoted where needed",
        arguments: [
            ([:], "plain", "plain"),
            (["b": "2", "a": "1"], "two", "two a=1 b=2"),
            (["error": "no such key"], "gone", #"gone error="no such key""#),
            (["e": ""], "empty", #"empty e="""#),
            (["e": "a=b"], "equals", #"equals e="a=b""#),
            (["e": #"say "a\b""#], "quotes", #"quotes e="say \"a\\b\"""#),
            (["e": "x\ny\u{1B}[0m"], "two\r\nlines", #"two\r\nlines e=x\ny\u{1b}[0m"#),
            (["n": .stringConvertible(5)], "number", "number n=5"),
            (["odd name": "v"], "name", #"name "odd name"=v"#),
            (["e": "\u{2028}\u{85}"], "separators", #"separators e=\u{2028}\u{85}"#),
        ] as [(Logger.Metadata, String, String)])
    func text(metadata: Logger.Metadata, message: String, expected: String) {
        let lines = Lines()
        lines.logger(.text).warning("\(message)", metadata: metadata)
        #expect(lines.all == ["2023-11-14T22:13:20.123Z warning sluice.pipeline: \(expected)\n"])
    }

    @Test(
        "A JSON line has the four stable names, then metadata under its own",
        arguments: [
            ([:], "plain", #""message":"plain""#),
            (["b": "2", "a": "1"], "two", #""message":"two","a":"1","b":"2""#),
            (["level": "high"], "taken", #""message":"taken","level_":"high""#),
            (["e": "x\n\u{1}\"\\"], "a\tb", #""message":"a\tb","e":"x\n\u0001\"\\""#),
            (["n": .stringConvertible(Int64.max)], "n", #""message":"n","n":9223372036854775807"#),
            (["n": .stringConvertible(true)], "n", #""message":"n","n":true"#),
            (["n": .stringConvertible(1.5)], "n", #""message":"n","n":"1.5""#),
            (["l": ["x", ["k": "v", "a": "b"]]], "l", #""message":"l","l":["x",{"a":"b","k":"v"}]"#),
        ] as [(Logger.Metadata, String, String)])
    func json(metadata: Logger.Metadata, message: String, expected: String) {
        let lines = Lines()
        lines.logger(.json).error("\(message)", metadata: metadata)
        let start = #"{"time":"2023-11-14T22:13:20.123Z","level":"error","logger":"sluice.pipeline","#
        #expect(lines.all == ["\(start)\(expected)}\n"])
    }

    @Test("The event's metadata wins over the provider's, and that over the logger's", arguments: LogFormat.allCases)
    func precedence(format: LogFormat) {
        let lines = Lines()
        var handler = format.handler(label: "l", level: .info, output: lines.output())
        handler.metadataProvider = Logger.MetadataProvider { ["b": "provider", "c": "provider"] }
        handler.metadata = ["a": "own", "b": "own", "c": "own"]
        let made = handler
        Logger(label: "l") { _ in made }.info("m", metadata: ["c": "event"])
        let expected = format == .text ? "a=own b=provider c=event" : #""a":"own","b":"provider","c":"event""#
        #expect(lines.all.count == 1)
        #expect(lines.all[0].contains(expected))
    }

    @Test("Events below the level are not written", arguments: LogFormat.allCases)
    func level(format: LogFormat) {
        let lines = Lines()
        let logger = lines.logger(format)
        logger.debug("no")
        #expect(lines.all.isEmpty)
        logger.info("yes")
        #expect(lines.all.count == 1)
    }

    @Test("Long text is cut at a character boundary, with its original length", arguments: LogFormat.allCases)
    func long(format: LogFormat) {
        let lines = Lines()
        lines.logger(format).info("m", metadata: ["e": "x\(String(repeating: "é", count: 100_000))"])
        #expect(lines.all[0].contains("é... (200001 bytes)"))
        #expect(lines.all[0].utf8.count < LogOutput.textLimit + 200)
    }

    @Test("An error that an event carries is written", arguments: LogFormat.allCases)
    func error(format: LogFormat) {
        let lines = Lines()
        format.handler(label: "l", level: .info, output: lines.output()).log(
            event: LogEvent(
                level: .info, message: "m", error: CancellationError(), metadata: nil, source: nil, file: "f",
                function: "f", line: 1))
        #expect(lines.all[0].contains("CancellationError()"))
    }

    @Test(
        "Times are RFC 3339 in UTC with milliseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ])
    func time(milliseconds: Int64, text: String) {
        #expect(LogTime.text(milliseconds) == text)
    }

    @Test("Lines from many threads stay intact")
    func concurrent() async {
        let lines = Lines()
        let output = lines.output()
        await withTaskGroup { group in
            for task in 0..<8 {
                group.addTask {
                    for line in 0..<100 { output.emit(line: Array("\(task)-\(line)".utf8)) }
                }
            }
        }
        #expect(Set(lines.all) == Set((0..<8).flatMap { task in (0..<100).map { "\(task)-\($0)\n" } }))
        #expect(lines.all.count == 800)
    }
}
