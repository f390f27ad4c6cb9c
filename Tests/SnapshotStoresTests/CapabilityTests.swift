import Checkpoints
import ComponentKit
import CoreMetrics
import Foundation
import Logging
import StageKit
import Synchronization
import Testing

@testable import SnapshotStores

/// A store of another module that a checkpoint saves: each record is a key.
private final class KeyStore: CheckpointedStore {
    let name: String
    let keyField = "id"
    let freshness: Freshness? = nil
    let retention = StoreRetention.checkpoint
    let recordParts = 2
    let recordFields = ["a", "b"]
    let keys = Mutex<[String]>([])
    let loaded = Mutex<(fields: [String], cursor: EntryID)?>(nil)

    init(_ name: String, _ keys: [String] = []) {
        self.name = name
        self.keys.withLock { $0 = keys }
    }

    var count: Int { self.keys.withLock(\.count) }
    func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}
    func removeAll() { self.keys.withLock { $0 = [] } }
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        MemoryStore(name: "m", keyField: "id").makeWriter(key: key, fields: fields)
    }

    func appendRecords(ofPart part: Int, fields: Int, to bytes: inout [UInt8]) -> Int {
        let keys = self.keys.withLock(\.self).enumerated().filter { $0.offset % 2 == part }.map(\.element)
        for key in keys {
            bytes += [UInt8(key.utf8.count), 0, 0, 0] + Array(key.utf8)
        }
        return keys.count
    }

    func makeLoader(fields: [String], upTo cursor: EntryID) throws -> any RecordLoading {
        self.loaded.withLock { $0 = (fields, cursor) }
        return Loader(store: self)
    }

    private struct Loader: RecordLoading {
        let store: KeyStore

        func load(_ bytes: [UInt8], in range: Range<Int>) throws -> Int {
            var (offset, count) = (range.lowerBound, 0)
            while offset < range.upperBound {
                let end = offset + 4 + Int(bytes[offset])
                guard end <= range.upperBound else { throw CheckpointFailure("a record is cut off") }
                let key = String(decoding: bytes[offset + 4..<end], as: UTF8.self)
                if key == "bad" { throw CheckpointFailure("a bad key") }
                self.store.keys.withLock { $0.append(key) }
                (offset, count) = (end, count + 1)
            }
            return count
        }
    }
}

@Suite struct CapabilityTests {
    private func withPath<R>(_ body: (String) async throws -> R) async throws -> R {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder.appendingPathComponent("c").path)
    }

    private func keeper(_ path: String, _ stores: [any CheckpointedStore]) -> FileCheckpoint {
        FileCheckpoint(
            CheckpointSettings(path: path), stores: stores, definition: "d",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, metrics: NOOPMetricsHandler.instance)
    }

    @Test("A checkpoint saves and restores every store that declares it, beside a memory store")
    func checkpoint() async throws {
        try await self.withPath { path async throws in
            let cursor = EntryID(milliseconds: 9, sequence: 1)
            let old = KeyStore("keys", ["k1", "k2", "k3"])
            let memory = MemoryStore(name: "memory", keyField: "id")
            await self.keeper(path, [old, memory]).save {
                SourceBookmark(epoch: 0, cursor: cursor, text: "here")
            }
            let new = KeyStore("keys")
            #expect(try self.keeper(path, [new, MemoryStore(name: "memory", keyField: "id")]).load() == "here")
            #expect(new.keys.withLock(\.self).sorted() == ["k1", "k2", "k3"])
            let loaded = new.loaded.withLock(\.self)
            #expect(loaded?.fields == ["a", "b"] && loaded?.cursor == cursor)
        }
    }

    @Test("A record that a store refuses makes the checkpoint unusable and leaves all stores empty")
    func refused() async throws {
        try await self.withPath { path async throws in
            let old = KeyStore("keys", ["k1", "bad"])
            await self.keeper(path, [old]).save { SourceBookmark(epoch: 0, cursor: .zero, text: "here") }
            let new = KeyStore("keys")
            let failure = #expect(throws: CheckpointFailure.self) { try self.keeper(path, [new]).load() }
            #expect(failure?.description.hasSuffix("a bad key") == true)
            #expect(new.count == 0)
        }
    }

    private func mark(_ name: String) -> LocatedName { LocatedName(name, at: SettingPosition(line: 1, column: 1)) }

    @Test("A memory store declares what its settings make of it")
    func declared() {
        let plain = MemoryStore(name: "plain", keyField: "id")
        #expect(plain.checkpointed === plain && plain.inPlace === plain && plain.conditional === plain)
        #expect(plain.expiring == nil && plain.indexed == nil && plain.remote == nil)
        #expect(plain.groupObstacles == [] && plain.permitsTimeInConditions && plain.serverCommands == [])
        #expect(plain.namedFields.flatMap(\.fields) == [])
        let shared = MemoryStore(
            name: "shared", keyField: "id", expiry: ExpirySettings(field: self.mark("until")),
            index: [self.mark("user")], share: ShareSettings(path: "/nowhere/s", fields: ["status"]))
        #expect(shared.expiring === shared && shared.indexed === shared)
        #expect(shared.groupObstacles.count == 1 && !shared.permitsTimeInConditions)
        #expect(
            shared.namedFields == [
                NamedFields("stores: shared: index", [self.mark("user")]), NamedFields("revoke: issued_at", []),
                NamedFields("stores: shared: expires", [self.mark("until")], areTimes: true),
                NamedFields("stores: shared: share: fields", []),
            ])
        #expect(shared.makeEnder(by: "user", issuedAt: self.mark("at")) != nil)
        #expect(shared.groupObstacles.count == 2)
        #expect(shared.namedFields[1] == NamedFields("revoke: issued_at", [self.mark("at")]))
    }
}
