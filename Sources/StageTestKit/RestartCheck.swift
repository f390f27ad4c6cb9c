import ComponentKit
import StageKit

/// Checks the content of a store when the worker starts again with the same settings.
struct RestartCheck {
    /// The keys of the check.
    private enum Key {
        /// Held, with the value `b` of the entry 5.
        static let kept = Array("kept".utf8)
        /// Evicted by the entry 6.
        static let ended = Array("ended".utf8)
        /// Evicted by the entry 6, without ever having had a snapshot.
        static let never = Array("never".utf8)
        /// Never changed.
        static let unknown = Array("unknown".utf8)
    }

    /// The violations so far.
    private var violations: [String] = []

    /// Returns the violations of the stores that `make` returns.
    static func violations(_ make: () throws -> any SnapshotStore) async throws -> [String] {
        var check = RestartCheck()
        try await check.run(make)
        return check.violations
    }

    private mutating func expect(_ holds: Bool, _ violation: @autoclosure () -> String) {
        if !holds { self.violations.append(violation()) }
    }

    private mutating func run(_ make: () throws -> any SnapshotStore) async throws {
        let first = try make()
        try first.published?.open()
        try await Self.fill(first)
        // A reload, or `sluice check`, creates the store again while it is in use.
        _ = try make()
        self.expect(
            first.snapshot(for: Key.kept.span)?["value"] == "b", "creating the store again changes the one in use")
        let saved = first.retention == .checkpoint ? first.checkpointed.map { SavedRecords($0) } : nil
        await first.published?.shutDown()

        let second = try make()
        try second.published?.open()
        switch second.retention {
        case .own: try await self.remains(second, "after a restart")
        case .process, .checkpoint:
            self.expect(
                second.count == 0, "\(second.count) snapshots remain after a restart, but retention is not own")
        }
        if let saved, let store = second.checkpointed {
            self.violations += saved.violations
            try await self.restore(saved, store)
            let third = try make()
            try third.published?.open()
            if let store = third.checkpointed { self.damage(saved, store) }
            await third.published?.shutDown()
        }
        second.removeAll()
        try await second.finishRemoval()
        await second.published?.shutDown()
    }

    private static func fill(_ store: any SnapshotStore) async throws {
        store.removeAll()
        try await store.finishRemoval()
        store.prepareForGraph()
        let writing = StoreWriting(store)
        _ = try writing.upsert(Key.kept, 4, "a")
        _ = try writing.upsert(Key.kept, 5, "b")
        _ = try writing.upsert(Key.ended, 5, "a")
        _ = try writing.evict(Key.ended, 6)
        _ = try writing.evict(Key.never, 6)
        try await writing.endBatch()
    }

    /// Checks that the content is there, and that the store does not go back in time.
    private mutating func remains(_ store: any SnapshotStore, _ moment: String) async throws {
        let kept = store.snapshot(for: Key.kept.span)
        self.expect(kept?["value"] == "b", "a snapshot is missing or different \(moment): \(String(describing: kept))")
        self.expect(
            kept.map { $0.entryID == StoreCheck.entry(5) } ?? true, "a snapshot has the id of another entry \(moment)")
        self.expect(store.count == 1, "count is \(store.count), not 1, \(moment)")
        self.expect(store.snapshot(for: Key.ended.span) == nil, "an evicted key is held \(moment)")
        var listed: [[UInt8]] = []
        store.forEachSnapshot { listed.append($0.key) }
        self.expect(listed == [Key.kept], "forEachSnapshot does not list every snapshot once \(moment)")

        store.prepareForGraph()
        let writing = StoreWriting(store)
        for (key, entry, wanted) in [
            (Key.kept, 4, [StoreChange.older]), (Key.kept, 5, [.repeated]), (Key.ended, 5, [.older]),
            (Key.never, 5, [.older]),
        ] as [([UInt8], UInt64, [StoreChange])] {
            let result = try writing.upsert(key, entry, "old")
            self.expect(
                wanted.contains(result),
                "an entry that the store has seen is \(result), not \(wanted[0]), for the key "
                    + "\"\(String(decoding: key, as: UTF8.self))\" \(moment)")
        }
        let result = try writing.upsert(Key.ended, 7, "c")
        self.expect(result == .applied, "a newer entry is \(result), not applied, \(moment)")
        try await writing.endBatch()
        self.expect(store.snapshot(for: Key.ended.span)?["value"] == "c", "a newer entry stores nothing \(moment)")
        self.expect(store.count == 2, "count is \(store.count), not 2, after a newer entry \(moment)")
    }

    // MARK: Checkpoints

    /// Checks that the records of a checkpoint restore the content.
    private mutating func restore(_ saved: SavedRecords, _ store: any CheckpointedStore) async throws {
        let moment = "after a restart with a checkpoint"
        // The range is a part of the bytes, as in a file.
        let bytes = SavedRecords.around + saved.bytes + SavedRecords.around
        let start = SavedRecords.around.count
        do {
            let loader = try store.makeLoader(fields: saved.fields, upTo: StoreCheck.entry(6))
            let count = try loader.load(bytes, in: start..<start + saved.bytes.count)
            self.expect(count == saved.count, "load returns \(count) records, but \(saved.count) were appended")
        } catch {
            return self.violations.append("records that the store has appended are refused: \(error)")
        }
        let writing = StoreWriting(store)
        let result = try writing.upsert(Key.unknown, 6, "old")
        self.expect(
            result == .older,
            "an entry up to the cursor of the checkpoint is \(result), not older, for a key without a record")
        try await writing.endBatch()
        try await self.remains(store, moment)
    }

    /// Checks that damaged records are refused. A damaged byte may give another valid record.
    private mutating func damage(_ saved: SavedRecords, _ store: any CheckpointedStore) {
        func isAccepted(_ bytes: [UInt8]) -> Bool {
            defer { store.removeAll() }
            do {
                let loader = try store.makeLoader(fields: saved.fields, upTo: StoreCheck.entry(6))
                _ = try loader.load(bytes, in: 0..<bytes.count)
                return true
            } catch {
                return false
            }
        }
        let count = saved.bytes.count
        guard count > 4 else { return }
        for cut in [1, 3, 4, 5, count / 2, count - 1] where cut < count {
            let isRefused = !isAccepted(Array(saved.bytes.prefix(cut)))
            self.expect(isRefused, "the first \(cut) bytes of \(count) bytes of records are accepted")
        }
        for index in stride(from: 0, to: count, by: max(1, count / 64)) {
            var bytes = saved.bytes
            bytes[index] ^= 0xFF
            // Must not crash; the checksum of the file has not found it, so it is not an accident.
            _ = isAccepted(bytes)
        }
    }
}

/// The records of a store in a checkpoint.
private struct SavedRecords {
    /// Bytes of others before and after the records.
    static let around: [UInt8] = [0xA5, 0x5A, 0xFF]

    /// The names of the fields.
    let fields: [String]
    /// The records.
    var bytes: [UInt8] = []
    /// Their number.
    var count = 0
    /// The violations.
    var violations: [String] = []

    /// Reads the records of all parts.
    init(_ store: any CheckpointedStore) {
        self.fields = store.recordFields
        for part in 0..<store.recordParts {
            var bytes = Self.around
            let count = store.appendRecords(ofPart: part, fields: self.fields.count, to: &bytes)
            guard bytes.starts(with: Self.around) else {
                self.violations.append("appendRecords changes the bytes before its records")
                return
            }
            self.bytes += bytes.dropFirst(Self.around.count)
            self.count += count
        }
        self.checkSizes()
    }

    /// Checks that each record is preceded by its number of bytes.
    private mutating func checkSizes() {
        var (offset, found) = (0, 0)
        while offset < self.bytes.count {
            let size = self.bytes[offset...].prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            if size > CheckpointLimits.recordBytes || offset + 4 + size > self.bytes.count {
                return self.violations.append("a record is not preceded by its number of bytes, or is too large")
            }
            offset += 4 + size
            found += 1
        }
        if found != self.count {
            self.violations.append("appendRecords returns \(self.count) records, but has appended \(found)")
        }
    }
}
