import ComponentKit
import Foundation
import Logging
import PipelineEngine
import StageKit
import Synchronization
import Testing

@testable import Operations
@testable import Worker

@Suite struct LogLimiterTests {
    private static let a = LogKind(level: .warning, message: "a", reason: nil)
    private static let b = LogKind(level: .warning, message: "b", reason: "r")

    /// Lets lines of a kind come at one moment; how many are written.
    private func admitted(_ limiter: inout LogLimiter, _ kind: LogKind, _ count: Int, at second: Int) -> Int {
        (0..<count).count { _ in limiter.admits(kind, at: .seconds(second)) }
    }

    @Test(
        "The number of lines of one kind per interval is limited",
        arguments: [(0, 5, 0), (1, 5, 1), (20, 5, 5), (20, 20, 20), (20, 1000, 20), (Int.max, 1000, 1000)])
    func burst(repeats: Int, lines: Int, written: Int) {
        var limiter = LogLimiter(repeats: repeats)
        #expect(self.admitted(&limiter, Self.a, lines, at: 0) == written)
        let heldBack = lines - written
        #expect(limiter.endAll() == (heldBack > 0 ? [.init(kind: Self.a, count: heldBack)] : []))
    }

    @Test("Suppressed lines are reported once, at the end of the interval; the next one begins with the next line")
    func span() {
        var limiter = LogLimiter(repeats: 2)
        #expect(self.admitted(&limiter, Self.a, 5, at: 0) == 2)
        #expect(limiter.ended(at: .seconds(9)).isEmpty)
        #expect(limiter.ended(at: .seconds(10)) == [.init(kind: Self.a, count: 3)])
        #expect(limiter.ended(at: .seconds(30)).isEmpty)
        #expect(self.admitted(&limiter, Self.a, 3, at: 31) == 2)
        #expect(limiter.ended(at: .seconds(40)).isEmpty)
        #expect(limiter.ended(at: .seconds(41)) == [.init(kind: Self.a, count: 1)])
    }

    @Test("Kinds are counted separately: by level, message and reason")
    func kinds() {
        var limiter = LogLimiter(repeats: 1)
        let kinds = [
            Self.a, Self.b, LogKind(level: .error, message: "a", reason: nil),
            LogKind(level: .warning, message: "b", reason: "s"),
        ]
        for kind in kinds { #expect(self.admitted(&limiter, kind, 3, at: 0) == 1) }
        let told = limiter.endAll()
        #expect(told.map(\.kind.message) == ["a", "a", "b", "b"])
        #expect(told.allSatisfy { $0.count == 2 })
    }

    @Test("However many kinds there are, the table stays small and every line is counted")
    func manyKinds() {
        var limiter = LogLimiter(repeats: 1)
        let lines = 2 * LogLimiter.kindLimit + 1000
        var written = 0
        for line in 0..<lines {
            let text = "\(line)" + String(repeating: "x", count: 5000)
            written += self.admitted(&limiter, LogKind(level: .error, message: text, reason: text), 1, at: 0)
        }
        #expect(written == LogLimiter.kindLimit)
        let told = limiter.endAll()
        #expect(told.map(\.kind) == [LogKind.others])
        #expect(told.reduce(0) { $0 + $1.count } + written == lines)
    }

    /// A logger behind a gate whose clock is turned by hand.
    struct Fixture {
        let lines = LogHandlerTests.Lines()
        let gate: LogGate
        let logger: Logger
        private let clock: Clock

        final class Clock: Sendable {
            let seconds = Atomic<Int>(0)
        }

        init(repeats: Int) {
            let clock = Clock()
            let output = self.lines.output()
            let handler = LogFormat.json.handler(label: "sluice", level: .info, output: output)
            let gate = LogGate(repeats: repeats, handler: handler) { .seconds(clock.seconds.load(ordering: .relaxed)) }
            self.clock = clock
            self.gate = gate
            self.logger = Logger(label: "sluice") { _ in LimitedLogHandler(handler, gate: gate) }
        }

        func set(second: Int) { self.clock.seconds.store(second, ordering: .relaxed) }
    }

    @Test("A flood becomes its first lines and one line with the number of the rest, before the next line")
    func flood() throws {
        let fixture = Fixture(repeats: 2)
        for entry in 0..<1000 {
            fixture.logger.warning("dropped", metadata: ["entry": "\(entry)", "reason": "malformed_event"])
        }
        fixture.set(second: 11)
        fixture.logger.warning("other")
        let lines = fixture.lines.all
        #expect(lines.count == 4)
        #expect(lines[1].contains(#""message":"dropped","entry":"1","reason":"malformed_event""#))
        #expect(
            lines[2].contains(
                #""level":"warning","logger":"sluice","message":"more lines of this kind were suppressed","held_back":998,"#
                    + #""of":"dropped","reason":"malformed_event"}"#))
        #expect(lines[3].contains(#""message":"other""#))
        #expect(fixture.gate.heldBack == 998)
    }

    @Test("Levels other than warning and error are never suppressed")
    func levels() {
        let fixture = Fixture(repeats: 1)
        for _ in 0..<5 {
            for level in [Logger.Level.info, .notice, .critical] { fixture.logger.log(level: level, "m") }
        }
        #expect(fixture.lines.all.count == 15)
        fixture.gate.close()
        #expect(fixture.lines.all.count == 15)
    }

    /// The loggers that a worker has: its own, and that for answers to an operator, each with metadata of its own.
    enum Lines: CaseIterable {
        case repeatable, answers, answersWithMetadata

        func log(_ logger: Logger, level: Logger.Level, _ message: Logger.Message) {
            switch self {
            case .repeatable: logger.log(level: level, message)
            case .answers: logger.withoutRateLimit.log(level: level, message)
            case .answersWithMetadata:
                var logger = logger
                logger[metadataKey: "file"] = "p.yaml"
                logger.logLevel = .error
                logger.withoutRateLimit.log(level: level, message)
            }
        }
    }

    @Test(
        "A thousand simultaneous answers are all written, while the stream's repeated lines are limited",
        arguments: [
            (.repeatable, .warning, 2), (.repeatable, .error, 2), (.answers, .warning, 1000),
            (.answers, .error, 1000), (.answers, .debug, 0), (.answersWithMetadata, .warning, 0),
            (.answersWithMetadata, .error, 1000),
        ] as [(Lines, Logger.Level, Int)])
    func answers(lines: Lines, level: Logger.Level, written: Int) {
        let fixture = Fixture(repeats: 2)
        for _ in 0..<1000 {
            lines.log(fixture.logger, level: level, "reload refused")
            fixture.logger.warning("dropped")
        }
        let refused = fixture.lines.all.filter { $0.contains(#""message":"reload refused""#) }
        #expect(refused.count == written)
        #expect(refused.allSatisfy { $0.contains(#""file":"p.yaml""#) == (lines == .answersWithMetadata) })
        #expect(fixture.lines.all.count { $0.contains(#""message":"dropped""#) } == 2)
    }

    @Test("Every reload has its result in the log, however many there are at the same time")
    func reloads() throws {
        let folder = FileManager.default.temporaryDirectory
        let path = folder.appendingPathComponent("sluice-\(UUID().uuidString).yaml").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let fixture = Fixture(repeats: 1)
        let text = """
            pipeline: p
            redis: { address: "127.0.0.1:6379" }
            source: { redis_stream: { stream: s } }
            stores: { things: { memory: { key: id } } }
            stages: [{ decode: { fields: { id: { required: true } } } }, { upsert: { store: things } }]
            """
        let pipeline = try Pipeline(
            text: Array(text.utf8), file: path, catalogue: .standard,
            services: PipelineServices(logger: fixture.logger))
        let service = ReloadService(pipeline: pipeline, path: path, logger: fixture.logger)
        for _ in 0..<50 {
            try Data("stages: 1\n".utf8).write(to: URL(fileURLWithPath: path))
            service.reload()
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            service.reload()
        }
        let lines = fixture.lines.all
        #expect(lines.count { $0.contains(#""message":"reload refused: the previous version stays active""#) } == 50)
        #expect(lines.count { $0.contains(#""message":"reload refused","error""#) } >= 50)
        #expect(lines.count { $0.contains(#""message":"reload: no changes""#) } == 50)
        #expect(fixture.gate.heldBack == 0)
    }

    @Test("Without further lines, the count is still reported: at the end of the interval or of the process")
    func quiet() {
        let fixture = Fixture(repeats: 1)
        for _ in 0..<3 { fixture.logger.error("gone") }
        fixture.gate.tell()
        #expect(fixture.lines.all.count == 1)
        fixture.set(second: 10)
        fixture.gate.tell()
        #expect(fixture.lines.all.count == 2)
        for _ in 0..<3 { fixture.logger.error("gone") }
        fixture.gate.close()
        #expect(fixture.lines.all.filter { $0.contains(#""held_back":2"#) }.count == 2)
    }

    @Test("From many threads no line is lost: each is written or counted")
    func concurrent() async {
        let fixture = Fixture(repeats: 7)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<500 { fixture.logger.warning("m") } }
            }
        }
        #expect(fixture.lines.all.count == 7)
        #expect(fixture.gate.heldBack == 4000 - 7)
    }
}
