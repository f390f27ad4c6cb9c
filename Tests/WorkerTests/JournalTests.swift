import Foundation
import PipelineEngine
import StageKit
import Testing

@testable import Operations

@Suite struct JournalTests {
    /// Lends a batch of one event whose field `id` has these bytes, or none.
    private func withEvent(_ key: [UInt8]?, _ body: (borrowing Event, FieldID) -> Void) {
        let names = GraphNames()
        let field = names.provide("id")
        let batch = EventBatch()
        let fields = key.map { [(name: Array("id".utf8), value: $0)] } ?? []
        batch.append(id: EntryID(milliseconds: 1_700_000_000_000, sequence: 7), fields: fields)
        batch.prepareCells(fieldCount: 1)
        batch.withEvent(at: 0) { event in
            if event.rawFieldCount > 0 { event.set(field, range: event.rawField(at: 0).value) }
            body(event, field)
        }
    }

    private func line(_ key: [UInt8]?, _ make: (FieldID?) -> EventResult) -> String {
        var bytes: [UInt8] = []
        self.withEvent(key) { event, field in JournalLine.append(event, make(field), to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("A line has the members that apply, in a fixed order, and ends with a line feed")
    func form() {
        let all = self.line(Array("ds-1".utf8)) { key in
            EventResult(
                outcome: .evicted, reason: "malformed_event", stage: "decode",
                error: "decode session event: missing user_id", effects: ["evict"], keyField: key)
        }
        #expect(
            all == #"{"entry":"1700000000000-7","outcome":"evicted","reason":"malformed_event","stage":"decode","#
                + #""key":"ds-1","error":"decode session event: missing user_id","effects":["evict"]}"# + "\n")
        let least = self.line(nil) { _ in
            EventResult(outcome: .dropped, reason: nil, stage: nil, error: nil, effects: [], keyField: nil)
        }
        #expect(least == #"{"entry":"1700000000000-7","outcome":"dropped"}"# + "\n")
        let keyless = self.line(nil) { key in
            EventResult(
                outcome: .applied, reason: nil, stage: nil, error: nil, effects: ["upsert", "revoke"], keyField: key)
        }
        #expect(
            keyless == #"{"entry":"1700000000000-7","outcome":"applied","effects":["upsert","revoke"]}"# + "\n")
    }

    @Test("A secret key is replaced by a placeholder")
    func secretKey() {
        let names = GraphNames()
        _ = names.provide("id")
        names.keepSecret("id")
        let line = self.line(Array("hidden".utf8)) { key in
            EventResult(
                outcome: .applied, reason: nil, stage: nil, error: nil, effects: [], keyField: key,
                fields: FieldTable(names))
        }
        #expect(line == #"{"entry":"1700000000000-7","outcome":"applied","key":"[secret]"}"# + "\n")
    }

    @Test("Outcomes have the names of the journal", arguments: Outcome.allCases)
    func outcomes(outcome: Outcome) {
        let names = ["applied", "skipped", "dropped", "evicted", "dead_lettered"]
        let line = self.line(nil) { _ in
            EventResult(outcome: outcome, reason: nil, stage: nil, error: nil, effects: [], keyField: nil)
        }
        #expect(line.contains("\"outcome\":\"\(names[Int(outcome.rawValue)])\""))
    }

    @Test(
        "Any bytes give one line of JSON: text escaped, all else as base64 under key_b64",
        arguments: [
            (Array("a\"b\\c\n\t\u{1}".utf8), #""key":"a\"b\\c\n\t\u0001""#), (Array("é漢😀".utf8), #""key":"é漢😀""#),
            ([0xFF, 0xFE], #""key_b64":"//4=""#), ([0xC0, 0x80], #""key_b64":"wIA=""#), ([], #""key":"""#),
            ([0x7F, 0x00], #""key":"\u007f\u0000""#),
        ] as [([UInt8], String)])
    func keys(key: [UInt8], member: String) throws {
        let line = self.line(key) {
            EventResult(outcome: .applied, reason: nil, stage: nil, error: nil, effects: [], keyField: $0)
        }
        #expect(line == "{\"entry\":\"1700000000000-7\",\"outcome\":\"applied\",\(member)}\n")
        #expect(line.dropLast().utf8.contains(0x0A) == false)
        _ = try JSONSerialization.jsonObject(with: Data(line.utf8))
    }

    @Test("A journal is appended to, has a batch's lines after the batch, and is private to owner and group")
    func file() async throws {
        let path = NSTemporaryDirectory() + "sluice-journal-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        for run in 1...2 {
            let journal = try Journal(path: path)
            self.withEvent(nil) { event, _ in
                for _ in 0..<3 {
                    journal.observe(
                        event,
                        EventResult(
                            outcome: .applied, reason: nil, stage: nil, error: nil, effects: [], keyField: nil))
                }
            }
            try await journal.endBatch()
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text.split(separator: "\n").count == 3 * run)
        }
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode.map { $0 & 0o007 } == 0)
    }

    private static let record = EventResult(
        outcome: .applied, reason: nil, stage: nil, error: nil, effects: [], keyField: nil)

    private func withPath(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder.appendingPathComponent("journal").path)
    }

    @Test("An incomplete line of an earlier run is terminated, so that later lines are complete")
    func torn() async throws {
        try await self.withPath { path in
            try Data("{\"entry\":\"1-0\"}\n{\"entry\":\"2-".utf8).write(to: URL(fileURLWithPath: path))
            let journal = try Journal(path: path)
            self.withEvent(nil) { event, _ in journal.observe(event, Self.record) }
            try await journal.endBatch()
            let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            #expect(lines.count == 3 && lines[1] == "{\"entry\":\"2-")
            _ = try JSONSerialization.jsonObject(with: Data(lines[2].utf8))
        }
    }

    @Test("A rotated journal is reopened on request, and kept open if that is impossible")
    func rotation() async throws {
        try await self.withPath { path in
            let rotation = FileRotation()
            let journal = try Journal(path: path, rotation: rotation)
            func write() async throws {
                self.withEvent(nil) { event, _ in journal.observe(event, Self.record) }
                try await journal.endBatch()
            }
            func lines(_ path: String) throws -> Int {
                try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count
            }
            try await write()
            #expect(rename(path, path + ".1") == 0)
            try await write()
            #expect(try lines(path + ".1") == 2 && !FileManager.default.fileExists(atPath: path))
            rotation.request()
            try await write()
            #expect(try lines(path + ".1") == 2 && lines(path) == 1)
            #expect(rename(path, path + ".2") == 0)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            rotation.request()
            try await write()
            #expect(try lines(path + ".2") == 2)
        }
    }

    @Test("A journal whose reader has stopped ends when its task is cancelled")
    func stalledReader() async throws {
        try await self.withPath { path in
            try #require(mkfifo(path, 0o600) == 0)
            let nobody = #expect(throws: Journal.JournalError.self) { _ = try Journal(path: path) }
            #expect(nobody?.description.hasSuffix("no process reads this FIFO") == true)
            let reader = open(path, O_RDONLY | O_NONBLOCK)
            defer { close(reader) }
            let ended = Task {
                let journal = try Journal(path: path)
                while true {
                    self.withEvent(nil) { event, _ in
                        for _ in 0..<1000 { journal.observe(event, Self.record) }
                    }
                    try await journal.endBatch()
                }
            }
            ended.cancel()
            let error = await #expect(throws: Journal.JournalError.self) { try await ended.value }
            #expect(error?.description.hasSuffix("no process reads it") == true)
        }
    }

    @Test("A journal that cannot be opened or written ends the run with its path and the reason")
    func failures() async throws {
        let missing = #expect(throws: Journal.JournalError.self) { _ = try Journal(path: "/nonexistent/j") }
        #expect(missing?.description == "cannot open the journal /nonexistent/j: No such file or directory")
        let full = try Journal(path: "/dev/full")
        self.withEvent(nil) { event, _ in
            full.observe(
                event,
                EventResult(outcome: .applied, reason: nil, stage: nil, error: nil, effects: [], keyField: nil))
        }
        let error = await #expect(throws: Journal.JournalError.self) { try await full.endBatch() }
        #expect(error?.description == "cannot write the journal /dev/full: No space left on device")
        // It stays failed: lines after a gap would make a journal that looks whole.
        await #expect(throws: Journal.JournalError.self) { try await full.endBatch() }
    }
}
