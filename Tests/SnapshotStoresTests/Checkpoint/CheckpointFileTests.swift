import ComponentKit
import CoreMetrics
import Foundation
import Logging
import StageKit
import Testing

@testable import Checkpoints
@testable import SnapshotStores

/// The file of a checkpoint, and who may use it.
@Suite struct CheckpointFileTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func withPath<R>(_ body: (String) async throws -> R) async throws -> R {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder.appendingPathComponent("c").path)
    }

    private func keeper(_ path: String) -> FileCheckpoint {
        FileCheckpoint(
            CheckpointSettings(path: path), stores: [], definition: "d", logger: Self.silent,
            metrics: NOOPMetricsHandler.instance)
    }

    private func save(_ keeper: FileCheckpoint, _ text: String) async {
        await keeper.save { SourceBookmark(epoch: 1, cursor: .zero, text: text) }
    }

    @Test("A second run with the same file is refused until the first one releases it, also by another path")
    func claims() async throws {
        try await self.withPath { path in
            let link = path + ".link"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
            let first = self.keeper(path)
            try first.claim()
            for other in [path, link] {
                let second = self.keeper(other)
                let refusal = #expect(throws: CheckpointInUse.self) { try second.claim() }
                #expect(refusal?.pid == getpid())
                #expect(refusal?.description.contains(other) == true)
                // It does not write either, should anybody ask.
                await self.save(second, "second")
            }
            #expect(try self.keeper(path).load() == nil)
            await self.save(first, "first")
            first.release()
            let next = self.keeper(path)
            try next.claim()
            #expect(try next.load() == "first")
            next.release()
            let names = try FileManager.default.contentsOfDirectory(
                atPath: (path as NSString).deletingLastPathComponent)
            #expect(names.sorted() == ["c", "c.link"])
        }
    }

    @Test("A claim that is not yet possible is made with the first checkpoint")
    func lateClaim() async throws {
        try await self.withPath { path in
            let keeper = self.keeper(path + "/c")
            try keeper.claim()
            await self.save(keeper, "no directory")
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            await self.save(keeper, "a directory")
            #expect(throws: CheckpointInUse.self) { try self.keeper(path + "/c").claim() }
            #expect(try self.keeper(path + "/c").load() == "a directory")
        }
    }

    @Test("A leftover of an earlier attempt is never used, and a symbolic link remains one")
    func newFile() async throws {
        try await self.withPath { path in
            let target = path + ".target"
            try Data("planted".utf8).write(to: URL(fileURLWithPath: target + ".new"))
            try #require(chmod(target + ".new", 0o666) == 0)
            let planted = try FileManager.default.attributesOfItem(atPath: target + ".new")[.systemFileNumber] as? Int
            let kept = open(target + ".new", O_RDONLY)
            defer { close(kept) }
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "c.target")
            await self.save(self.keeper(path), "here")
            let attributes = try FileManager.default.attributesOfItem(atPath: target)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(attributes[.systemFileNumber] as? Int != planted)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == "c.target")
            #expect(try self.keeper(path).load() == "here")
        }
    }

    @Test("An empty file counts as none; one that everybody may write is refused")
    func trust() async throws {
        try await self.withPath { path in
            try Data().write(to: URL(fileURLWithPath: path))
            #expect(try self.keeper(path).load() == nil)
            await self.save(self.keeper(path), "here")
            #expect(try self.keeper(path).load() == "here")
            try #require(chmod(path, 0o666) == 0)
            let failure = #expect(throws: CheckpointFailure.self) { try self.keeper(path).load() }
            #expect(failure?.description.contains("others may write to it") == true)
        }
    }
}
