import ComponentKit
import Foundation
import StageKit
import StageTestKit
import Testing

@testable import SQLiteStore

@Suite struct StoreFileTests {
    private let trial: StoreTrial

    init() throws {
        self.trial = try StoreTrial()
    }

    @Test("Only the worker's user can read the file and those beside it")
    func mode() async throws {
        try await self.trial.withStore { _, writing in
            _ = try writing.upsert("a", 1)
            try await writing.endBatch()
            let names = try FileManager.default.contentsOfDirectory(atPath: self.trial.folder)
            #expect(names.contains("store.db-wal"))
            for name in names {
                let file = try FileManager.default.attributesOfItem(atPath: "\(self.trial.folder)/\(name)")
                #expect(file[.posixPermissions] as? Int == 0o600, "\(name)")
            }
        }
    }

    @Test("Each transaction is synchronized to the log, and the file names its program and schema")
    func settings() async throws {
        try await self.trial.withStore { _, _ in
            let other = try SQLiteConnection(path: self.trial.path, busyTimeout: .zero)
            #expect(try other.rows("PRAGMA journal_mode") == [[.text("wal")]])
            #expect(try other.rows("PRAGMA application_id") == [[.integer(StoreFile.applicationID)]])
            #expect(try other.rows("PRAGMA user_version") == [[.integer(StoreFile.version)]])
        }
    }

    @Test("A second worker is refused, with the process that uses the file")
    func secondWriter() async throws {
        try await self.trial.withStore { _, _ in
            let refusal = await self.trial.refusal()
            #expect(refusal?.contains("process \(ProcessInfo.processInfo.processIdentifier) uses it") == true)
            #expect(refusal?.hasPrefix("store \"sessions\": \(self.trial.path): ") == true)
        }
        #expect(await self.trial.refusal() == nil)
    }

    @Test("A file that is not a database is refused, and stays as it is")
    func notADatabase() async throws {
        let text = Data(repeating: UInt8(ascii: "x"), count: 4096)
        try text.write(to: URL(fileURLWithPath: self.trial.path))
        #expect(await self.trial.refusal()?.contains("the file is not a SQLite database") == true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: self.trial.path)) == text)
    }

    @Test("The database of another program is refused, and stays as it is")
    func foreign() async throws {
        #expect(FileManager.default.createFile(atPath: self.trial.path, contents: nil))
        try self.trial.statements("CREATE TABLE people (name TEXT)")
        let before = try Data(contentsOf: URL(fileURLWithPath: self.trial.path))
        #expect(await self.trial.refusal()?.contains("it is the database of another program") == true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: self.trial.path)) == before)
    }

    @Test("A file of a newer version, or with another key, is refused")
    func otherVersion() async throws {
        try await self.trial.withStore { _, _ in }
        #expect(await self.trial.refusal { $0.key = "name" }?.contains("have the key id, not name") == true)
        try self.trial.statements("PRAGMA user_version = 2")
        #expect(await self.trial.refusal()?.contains("a newer version of Sluice (schema 2, this one knows 1)") == true)
    }

    @Test("A missing directory, a directory and a file that others may write are refused with the reason")
    func unusable() async throws {
        #expect(await self.trial.refusal { $0.path += "/x/y" } != nil)
        #expect(await self.trial.refusal { $0.path = self.trial.folder }?.contains("not a regular file") == true)
        try await self.trial.withStore { _, _ in }
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: self.trial.path)
        #expect(await self.trial.refusal()?.contains("others may write to it") == true)
    }

    @Test("After a damaged page the store answers nothing, and the next batch fails")
    func damage() async throws {
        try await self.trial.withStore { store, writing in
            for number in 1...2000 { _ = try writing.upsert("key-\(number)", 1) }
            try await writing.endBatch()
        }
        // Behind the first pages, which hold the schema.
        var data = try Data(contentsOf: URL(fileURLWithPath: self.trial.path))
        try #require(data.count > 16 * 4096)
        for index in (6 * 4096)..<data.count { data[index] = 0xA5 }
        try data.write(to: URL(fileURLWithPath: self.trial.path))
        let store = self.trial.store()
        try store.open()
        store.freshness?.setFilling(false)
        let found = (1...2000).filter { store.snapshot(for: "key-\($0)") != nil }
        #expect(found.count < 2000)
        #expect(store.freshness?.isStale == true)
        #expect(store.snapshot(for: "key-1") == nil)
        #expect(self.trial.log.lines.count { $0.message.contains("cannot read the file of a store") } == 1)
        let writing = StoreTrial.Writing(store)
        #expect(throws: StoreFileRefusal.self) { try writing.upsert("new", 2) }
        await #expect(throws: StoreFileRefusal.self) { try await writing.endBatch() }
        await store.shutDown()
    }

    @Test("Fields are read back as they were written, and damaged bytes are refused without a crash")
    func codec() throws {
        let fields = [
            Snapshot.Field(name: "", bytes: []), Snapshot.Field(name: "ü", bytes: [0, 255], integer: -1),
            Snapshot.Field(name: "n", bytes: Array("7".utf8), integer: .max),
        ]
        let bytes = SnapshotCodec.bytes(fields)
        #expect(SnapshotCodec.fields(bytes) == fields)
        #expect(SnapshotCodec.fields([]) == [])
        let ends = Set([0, 9, 9 + 17 + 4])
        for length in 1..<bytes.count where !ends.contains(length) {
            #expect(SnapshotCodec.fields(Array(bytes[..<length])) == nil, "\(length) bytes")
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<10_000 {
            var changed = bytes
            changed[Int.random(in: 0..<changed.count, using: &generator)] = .random(in: 0...255, using: &generator)
            _ = SnapshotCodec.fields(changed)
        }
        #expect(SnapshotCodec.entry([1, 2]) == nil)
        let parts: [(UInt64, UInt64)] = [(0, 0), (255, 9), (256, 0), (.max, .max)]
        let ids = parts.map { EntryID(milliseconds: $0.0, sequence: $0.1) }
        #expect(ids.map { SnapshotCodec.entry(SnapshotCodec.bytes($0)) } == ids)
        let encoded = ids.map { SnapshotCodec.bytes($0) }
        #expect(zip(encoded, encoded.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
    }
}
