import ComponentKit
import StageKit

/// Checks a store that several streams feed, whose ids cannot be compared.
enum StreamsCheck {
    /// Returns the violations of a store that `make` returns; there are none if it does not distinguish streams.
    static func violations(_ make: () throws -> any SnapshotStore) async throws -> [String] {
        let store = try make()
        guard let fed = store.streamFed else { return [] }
        var found: [String] = []
        func expect(_ holds: Bool, _ violation: @autoclosure () -> String) {
            if !holds { found.append(violation()) }
        }
        try store.published?.open()
        store.removeAll()
        try await store.finishRemoval()
        fed.setStreams(["first", "second"])
        store.prepareForGraph()
        let writing = StoreWriting(store)
        let (first, second) = (StoreWriting.Origin(stream: 0), StoreWriting.Origin(stream: 1))
        let (key, other, lost, new) = (
            Array("key".utf8), Array("other".utf8), Array("lost".utf8), Array("new".utf8)
        )

        _ = try writing.upsert(key, 5, "a", from: first)
        for entry in [UInt64(4), 9] {
            do {
                let result = try writing.upsert(key, entry, "b", from: second)
                expect(false, "an upsert from another stream is \(result): it must fail, whatever the ids")
            } catch {
                expect(error is StageFailure, "an upsert from another stream throws \(error), not a StageFailure")
            }
        }
        expect(
            store.snapshot(for: key.span)?["value"] == "a", "a refused upsert from another stream changes the snapshot")
        expect(
            try writing.upsert(other, 3, "c", from: second) == .applied,
            "the first upsert from another stream is not applied")
        expect(
            try writing.evict(key, 3, from: second) == .applied && store.snapshot(for: key.span) == nil,
            "an eviction from another stream is not applied")
        try await writing.endBatch()

        fed.setHistoryStart(StoreCheck.entry(10), of: 0)
        expect(
            try writing.upsert(lost, 10, "d", from: StoreWriting.Origin(stream: 0, isReplayed: true)) == .older,
            "a replayed entry from before setHistoryStart is not older for a key that the store does not hold")
        expect(
            try writing.upsert(new, 9, "e", from: first) == .applied,
            "setHistoryStart affects an entry that is not replayed")
        try await writing.endBatch()
        store.removeAll()
        try await store.finishRemoval()
        await store.published?.shutDown()
        return found
    }
}
