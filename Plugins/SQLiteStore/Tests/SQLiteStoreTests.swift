import ComponentKit
import Foundation
import StageKit
import StageTestKit
import Testing

@testable import SQLiteStore

@Suite struct SQLiteStoreTests {
    private let trial: StoreTrial

    init() throws {
        self.trial = try StoreTrial()
    }

    @Test("SQLite keeps the contract of stores")
    func conformance() async {
        let settings: SettingNode = ["key": "id", "path": .text(self.trial.path)]
        #expect(await StoreConformance.check(SQLiteStore.type, settings) == [])
    }

    @Test("Snapshots and evictions outlive the worker, and the store never goes back in time")
    func restart() async throws {
        try await self.trial.withStore { store, writing in
            #expect(try writing.upsert("a", 5, "active") == .applied)
            #expect(try writing.upsert("b", 5) == .applied)
            #expect(try writing.evict("b", 6) == .applied)
            try await writing.endBatch()
            #expect(store.count == 1)
        }
        try await self.trial.withStore { store, writing in
            #expect(store.count == 1)
            #expect(store.snapshot(for: "a")?["status"] == "active")
            #expect(store.snapshot(for: "b") == nil)
            #expect(store.evictingEntry(for: "b".utf8.span) == EntryID(milliseconds: 6, sequence: 0))
            #expect(try writing.upsert("a", 4, "old") == .older)
            #expect(try writing.upsert("a", 5, "same") == .repeated)
            #expect(try writing.upsert("b", 5) == .older)
            #expect(try writing.evict("b", 6) == .repeated)
            #expect(try writing.upsert("b", 7, "new") == .applied)
            try await writing.endBatch()
            #expect(store.count == 2)
        }
    }

    @Test("A batch that does not end is not in the file")
    func unfinished() async throws {
        try await self.trial.withStore { store, writing in
            _ = try writing.upsert("a", 5)
            try await writing.endBatch()
            _ = try writing.upsert("a", 6, "revoked")
            _ = try writing.upsert("b", 6)
            #expect(store.snapshot(for: "a")?["status"] == "revoked")
            #expect(store.count == 2)
        }
        try await self.trial.withStore { store, _ in
            #expect(store.snapshot(for: "a")?["status"] == "active")
            #expect(store.count == 1)
        }
    }

    @Test("If a batch cannot be written, nothing of it is in the file, and a retry writes all of it")
    func locked() async throws {
        try await self.trial.withStore({ $0.busyTimeout = .milliseconds(1) }) { store, writing in
            _ = try writing.upsert("a", 1)
            try await writing.endBatch()
            let other = try SQLiteConnection(path: self.trial.path, busyTimeout: .zero)
            try other.run("BEGIN IMMEDIATE")
            _ = try writing.upsert("b", 2)
            _ = try writing.evict("a", 3)
            let error = await #expect(throws: StoreFileRefusal.self) { try await writing.endBatch() }
            #expect(error?.description.contains("cannot write 2 changes: database is locked") == true)
            #expect(error?.description.contains("busy_timeout") == true)
            #expect(try other.rows("SELECT count(*) FROM snapshots") == [[.integer(1)]])
            try other.run("ROLLBACK")
            try await writing.endBatch()
            #expect(store.count == 1)
            #expect(store.snapshot(for: "b") != nil)
            #expect(try other.rows("SELECT count(*) FROM snapshots WHERE fields IS NOT NULL") == [[.integer(1)]])
        }
    }

    @Test("Emptying removes the content from lookups immediately, and from the file before reading continues")
    func emptying() async throws {
        try await self.trial.withStore { store, writing in
            _ = try writing.upsert("a", 5)
            _ = try writing.evict("b", 5)
            try await writing.endBatch()
            store.removeAll()
            #expect(store.count == 0)
            #expect(store.snapshot(for: "a") == nil)
            try await store.finishRemoval()
        }
        try await self.trial.withStore { store, writing in
            #expect(store.count == 0)
            #expect(try writing.upsert("b", 1) == .applied)
            try await writing.endBatch()
            #expect(store.count == 1)
        }
    }

    @Test("Snapshots before an entry are removed, evictions are still remembered")
    func sweeping() async throws {
        try await self.trial.withStore { store, writing in
            for number in 1...4 { _ = try writing.upsert("k\(number)", UInt64(number)) }
            _ = try writing.evict("e", 2)
            store.removeSnapshots(before: EntryID(milliseconds: 3, sequence: 0))
            #expect(store.count == 2)
            #expect(store.snapshot(for: "k2") == nil)
            #expect(store.snapshot(for: "k3") != nil)
            #expect(try writing.upsert("e", 1) == .older)
            #expect(try writing.upsert("k1", 1) == .applied)
        }
    }

    @Test("If evictions are forgotten, no entry up to them restores a key that the store does not hold")
    func forgottenEvictions() async throws {
        try await self.trial.withStore(evictionLimit: 3) { _, writing in
            for number in 1...5 { _ = try writing.evict("k\(number)", UInt64(number * 10)) }
            try await writing.endBatch()
        }
        try await self.trial.withStore(evictionLimit: 3) { store, writing in
            // The evictions of k1 and k2 are forgotten.
            #expect(store.evictingEntry(for: "k2".utf8.span) == nil)
            #expect(store.evictingEntry(for: "k3".utf8.span) != nil)
            let older = try writing.upsert("k1", 9)
            #expect(older == .older)
            #expect(try writing.upsert("k2", 20) == .older)
            #expect(try writing.upsert("new", 19) == .older)
            #expect(try writing.upsert("k1", 21) == .applied)
            #expect(try writing.upsert("k3", 25) == .older)
        }
    }

    @Test("Limits refuse a snapshot and leave the store unchanged")
    func limits() async throws {
        try await self.trial.withStore({ settings in
            settings.maxEntries = 1
            settings.maxRecordBytes = 64
        }) { store, writing in
            _ = try writing.upsert("a", 1)
            #expect(throws: StageFailure.self) { try writing.upsert("b", 2) }
            #expect(throws: StageFailure.self) { try writing.upsert("a", 2, String(repeating: "x", count: 64)) }
            #expect(store.snapshot(for: "a")?["status"] == "active")
            #expect(try writing.upsert("a", 3, "new") == .applied)
            _ = try writing.evict("a", 4)
            #expect(try writing.upsert("b", 5) == .applied)
            #expect(store.count == 1)
        }
    }

    @Test("Ids of several streams are not compared: an upsert from another stream is refused, an eviction is not")
    func severalStreams() async throws {
        let store = self.trial.store()
        store.setStreams(["s1", "s2"])
        try store.open()
        let writing = StoreTrial.Writing(store)
        #expect(try writing.upsert("a", 9) == .applied)
        try await writing.endBatch()
        writing.stream = 1
        let error = #expect(throws: StageFailure.self) { try writing.upsert("a", 99) }
        #expect(error?.message.contains("from stream \"s1\", but the entry is from stream \"s2\"") == true)
        #expect(try writing.evict("a", 1) == .applied)
        #expect(try writing.upsert("a", 2) == .applied)
        try await writing.endBatch()
        #expect(store.snapshot(for: "a")?.entryID == EntryID(milliseconds: 2, sequence: 0))
        await store.shutDown()
    }

    @Test("An export lists the snapshots of file and batch once each, over several pages")
    func export() async throws {
        try await self.trial.withStore { store, writing in
            let count = StoreFile.pageSize * 2 + 7
            for number in 1...count { _ = try writing.upsert("k\(number)", 1) }
            try await writing.endBatch()
            _ = try writing.upsert("k1", 2, "new")
            _ = try writing.upsert("extra", 2)
            _ = try writing.evict("k2", 2)
            var keys: [String: String] = [:]
            var calls = 0
            store.forEachSnapshot { snapshot in
                keys[String(decoding: snapshot.key, as: UTF8.self)] = snapshot["status"]
                calls += 1
            }
            #expect(calls == count && keys.count == count && store.count == count)
            #expect(keys["k1"] == "new" && keys["extra"] == "active" && keys["k2"] == nil)
        }
    }

    @Test("Lookups do not wait for a batch that is written, or for another program's lock")
    func lookups() async throws {
        try await self.trial.withStore { store, writing in
            _ = try writing.upsert("a", 1)
            try await writing.endBatch()
            let other = try SQLiteConnection(path: self.trial.path, busyTimeout: .zero)
            try other.run("BEGIN IMMEDIATE")
            #expect(store.snapshot(for: "a")?["status"] == "active")
            try other.run("ROLLBACK")
        }
    }

    @Test("A closed store holds nothing, and refuses changes")
    func closed() async throws {
        let store = self.trial.store()
        let writing = StoreTrial.Writing(store)
        #expect(store.snapshot(for: "a") == nil)
        #expect(throws: StoreFileRefusal.self) { try writing.upsert("a", 1) }
        try store.open()
        await store.shutDown()
        #expect(store.snapshot(for: "a") == nil)
        #expect(throws: StoreFileRefusal.self) { try writing.upsert("a", 1) }
    }
}
