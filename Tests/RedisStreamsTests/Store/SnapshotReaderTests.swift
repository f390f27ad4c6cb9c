import RESP
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

@Suite struct SnapshotReaderTests {
    private func bulk(_ texts: String...) -> RESPValue { .array(texts.map { .bulk(Array($0.utf8)) }) }

    @Test("A hash is a snapshot if it has an entry's id")
    func snapshots() throws {
        let snapshot = try SnapshotReader.snapshot(of: self.bulk("_entry", "5-1", "status", "active"), key: [1])
        #expect(snapshot?.entryID == EntryID(milliseconds: 5, sequence: 1))
        #expect(snapshot?["status"] == "active" && snapshot?.fields.count == 1)
        #expect(try SnapshotReader.snapshot(of: self.bulk(), key: [1]) == nil)
        #expect(try SnapshotReader.snapshot(of: self.bulk("_evicted", "5-1"), key: [1]) == nil)
        #expect(throws: RedisError.self) { try SnapshotReader.snapshot(of: self.bulk("odd"), key: [1]) }
    }

    @Test("A prefix is matched literally, whatever its characters")
    func patterns() {
        let pattern = RedisStore.pattern(Array("a*[b]?\\:".utf8))
        #expect(String(decoding: pattern, as: UTF8.self) == "a\\*\\[b\\]\\?\\\\:*")
    }
}
