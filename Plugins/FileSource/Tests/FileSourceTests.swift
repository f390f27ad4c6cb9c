import ComponentKit
import Foundation
import Logging
import StageKit
import StageTestKit
import Testing

@testable import FileSource

@Suite struct FileSourceTests {
    /// A folder with a file of lines, and what a source has delivered of it.
    private final class Trial: Sendable {
        let path: String
        private let lines = OrderedMutex([String]())

        init() throws {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("file-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            self.path = folder.appendingPathComponent("in.ndjson").path
        }

        deinit {
            try? FileManager.default.removeItem(atPath: (self.path as NSString).deletingLastPathComponent)
        }

        var delivered: [String] { self.lines.withLock(\.self) }

        func write(_ text: String) throws {
            if let file = FileHandle(forWritingAtPath: self.path) {
                try file.seekToEnd()
                try file.write(contentsOf: Data(text.utf8))
                try file.close()
            } else {
                try Data(text.utf8).write(to: URL(fileURLWithPath: self.path))
            }
        }

        func source(
            _ change: (inout FileSettings) -> Void = { _ in }, checkpoint: (any CheckpointKeeper)? = nil
        ) -> FileSource {
            var settings = FileSettings()
            settings.path = LocatedName(self.path, at: SettingPosition(line: 1, column: 1))
            change(&settings)
            return FileSource(settings, stores: [], checkpoint: checkpoint, logger: Logger(label: "test"))
        }

        func run(_ source: FileSource) async throws {
            try await source.run { batch in
                for index in 0..<batch.count {
                    let line = batch.withEvent(at: index) { event -> String in
                        guard event.rawFieldCount > 0 else { return "\(event.id) refused" }
                        let field = event.rawField(at: 0)
                        return "\(event.id) \(event.text(field.name)) \(event.text(field.value))"
                    }
                    self.lines.withLock { $0.append(line) }
                }
            }
        }
    }

    /// A checkpoint in memory.
    private final class Saved: CheckpointKeeper {
        let text: OrderedMutex<String?>

        init(_ text: String?) { self.text = OrderedMutex(text) }

        var interval: Duration { .seconds(1) }
        func load() throws -> String? { self.text.withLock(\.self) }
        func discard() { self.text.withLock { $0 = nil } }
        func adopt(definition: String) {}
        func save(_ bookmark: () -> SourceBookmark?, stages: () async -> [SavedStage]?) async {
            let text = bookmark()?.text
            self.text.withLock { $0 = text }
        }
        func takeStages() -> [SavedStage] { [] }
    }

    private func eventually(_ what: Comment, _ condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(180)
        while !condition() {
            try #require(ContinuousClock.now < deadline, what)
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test("File keeps the contract of sources")
    func conformance() async throws {
        let trial = try Trial()
        try trial.write("a\nb\nc\nd\ne\n")
        let settings: SettingNode = ["path": .text(trial.path), "read_count": "2"]
        #expect(await SourceConformance.check(FileSource.sourceType, settings) == [])
        let resuming: SettingNode = ["path": .text(trial.path), "read_count": "2", "start": "resume"]
        #expect(await SourceConformance.check(FileSource.sourceType, resuming) == [])
        #expect(await SourceConformance.check { trial.source { $0.follow = true } } == [])
    }

    @Test("Each line is an entry with its line number, even an unterminated last line; empty lines are skipped")
    func lines() async throws {
        let trial = try Trial()
        try trial.write("a\n\nb \r\n\r\nlast")
        let source = trial.source { $0.readCount = 2 }
        try await trial.run(source)
        #expect(trial.delivered == ["1-0 line a", "3-0 line b \r", "5-0 line last"])
        #expect(source.status.isCaughtUp)
        #expect(source.status.state == .stopped)
        #expect(source.status.cursor == EntryID("5-0"))
    }

    @Test("A line beyond the limit is refused, and the next one is read", arguments: [1, 3, 100_000])
    func tooLong(extra: Int) async throws {
        let trial = try Trial()
        let limit = 10
        try trial.write(
            String(repeating: "x", count: limit + extra) + "\n" + String(repeating: "y", count: limit) + "\n")
        try await trial.run(trial.source { $0.maxLine = limit })
        #expect(trial.delivered == ["1-0 refused", "2-0 line yyyyyyyyyy"])
    }

    @Test("A followed file is read as it grows, through a rotation, until the source is stopped")
    func follow() async throws {
        let trial = try Trial()
        let source = trial.source { $0.follow = true }
        async let run: Void = trial.run(source)
        try trial.write("a\nb")
        try await self.eventually("the complete line") { trial.delivered == ["1-0 line a"] }
        try trial.write("b\n")
        try await self.eventually("the line is complete") { trial.delivered.count == 2 }
        try FileManager.default.moveItem(atPath: trial.path, toPath: trial.path + ".1")
        try trial.write("c\n")
        try await self.eventually("the new file") { trial.delivered.count == 3 }
        source.stop()
        try await run
        #expect(trial.delivered == ["1-0 line a", "2-0 line bb", "3-0 line c"])
        #expect(source.status.gaps == [:])
    }

    @Test("A followed file that was truncated is read from its beginning, and the gap is reported")
    func cut() async throws {
        let trial = try Trial()
        try trial.write("a\nb\n")
        let source = trial.source { $0.follow = true }
        async let run: Void = trial.run(source)
        try await self.eventually("read") { trial.delivered.count == 2 }
        let file = try #require(FileHandle(forWritingAtPath: trial.path))
        try file.truncate(atOffset: 0)
        try file.close()
        try await self.eventually("the gap") { source.status.gaps == ["recreated": 1] }
        try trial.write("c\n")
        try await self.eventually("read again") { trial.delivered.last == "3-0 line c" }
        source.stop()
        try await run
    }

    @Test("A source continues after the last line of its checkpoint, byte for byte")
    func resume() async throws {
        let trial = try Trial()
        try trial.write("a\n\nb\n")
        let first = trial.source()
        try await trial.run(first)
        let saved = Saved(nil)
        await saved.save { first.bookmark }
        try trial.write("c\n")
        try await trial.run(trial.source({ $0.start = .resume }, checkpoint: saved))
        #expect(trial.delivered == ["1-0 line a", "3-0 line b", "4-0 line c"])
    }

    @Test("A checkpoint of another file is a gap: everything is read, with higher numbers")
    func otherFile() async throws {
        let trial = try Trial()
        try trial.write("a\n")
        let saved = Saved("1:2:3:40")
        let source = trial.source({ $0.start = .resume }, checkpoint: saved)
        try await trial.run(source)
        #expect(source.status.gaps == ["recreated": 1])
        #expect(trial.delivered.count == 1)
        #expect(saved.text.withLock(\.self) == nil)
    }

    @Test("A file that does not exist ends the run, and so does a directory")
    func missing() async throws {
        let trial = try Trial()
        await #expect(throws: FileInput.Failure.self) { try await trial.run(trial.source()) }
        let directory = (trial.path as NSString).deletingLastPathComponent
        let source = trial.source { $0.path = LocatedName(directory, at: SettingPosition(line: 1, column: 1)) }
        await #expect(throws: FileInput.Failure.self) { try await trial.run(source) }
    }

    @Test("Lines are the same however the bytes are split")
    func splitting() {
        let text = Array("ab\n\ncdefgh\nlong line\nend".utf8)
        var expected: [String]?
        for size in 1...text.count {
            var splitter = LineSplitter(limit: 6)
            var found: [String] = []
            for start in stride(from: 0, to: text.count, by: size) {
                splitter.take(Array(text[start..<min(start + size, text.count)])) { found.append("\($0) \($1)") }
            }
            if let rest = splitter.finish() { found.append("\(rest)") }
            if let expected { #expect(found == expected) } else { expected = found }
            #expect(found.count == 5)
        }
    }

    @Test("A position survives being written and read", arguments: ["1:2:3:4", "0:0:0:0"])
    func position(text: String) {
        #expect(FilePosition(text)?.text == text)
        #expect(FilePosition("1:2:3") == nil)
        #expect(FilePosition("1:2:3:x") == nil)
    }
}
