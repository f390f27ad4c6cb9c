import Foundation
import StageKit
import StageTestKit
import Testing
import WriteStage

@Suite struct WriteStageTests {
    private let fixture = StageFixture(fields: ["id", "amount"])

    private func withPath(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("write-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder.appendingPathComponent("out.ndjson").path)
    }

    private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    @Test("Write keeps the contract of stages")
    func conformance() async throws {
        try await self.withPath { path in
            let violations = await StageConformance.check(
                WriteStage.self, ["path": .text(path)], entries: [SampleEntry(["id": "a"]), SampleEntry([:])],
                in: self.fixture)
            #expect(violations == [])
        }
    }

    @Test("Each event is one line, in order, with its present fields; later batches are appended")
    func lines() async throws {
        try await self.withPath { path in
            let harness = try StageHarness(WriteStage.self, ["path": .text(path)], in: self.fixture)
            let reports = try await harness.feed(
                SampleEntry(["amount": "5", "id": "a"]), SampleEntry(["id": "line\nend"]))
            #expect(reports.allSatisfy { $0.ending == .next && $0.effects == ["write"] })
            _ = try await harness.feed(SampleEntry(bytes: [(Array("id".utf8), [0xFF])]))
            #expect(
                try self.text(path) == """
                    {"id":"a","amount":"5"}
                    {"id":"line\\nend"}
                    {"id_b64":"/w=="}

                    """)
        }
    }

    @Test("After a rename a new file is created, and an incomplete last line is terminated")
    func rotation() async throws {
        try await self.withPath { path in
            try "{\"id\":\"to".write(toFile: path, atomically: false, encoding: .utf8)
            let harness = try StageHarness(WriteStage.self, ["path": .text(path)], in: self.fixture)
            _ = try await harness.feed(SampleEntry(["id": "a"]))
            try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
            _ = try await harness.feed(SampleEntry(["id": "b"]))
            #expect(try self.text(path + ".1") == "{\"id\":\"to\n{\"id\":\"a\"}\n")
            #expect(try self.text(path) == "{\"id\":\"b\"}\n")
        }
    }

    @Test("Events fail if the file cannot be opened")
    func unopened() async throws {
        try await self.withPath { path in
            let harness = try StageHarness(WriteStage.self, ["path": .text(path + "/x/y")], in: self.fixture)
            let reports = try await harness.feed(SampleEntry(["id": "a"]), SampleEntry(["id": "b"]))
            #expect(reports.allSatisfy { $0.failure?.reason == "write_failure" && $0.effects == [] })
        }
    }
}
