import StageKit
import Testing

@testable import Admin

@Suite struct RevocationLogTests {
    private func batch(_ keys: [String], from sequence: UInt64 = 0) -> RevocationLog.Batch {
        var batch = RevocationLog.Batch()
        for (index, key) in keys.enumerated() {
            batch.add(key.utf8.span, EntryID(milliseconds: 1, sequence: sequence + UInt64(index)))
        }
        return batch
    }

    private func keys(_ page: RevocationLog.Page) -> [String] {
        page.notices.map { String(decoding: $0.key, as: UTF8.self) }
    }

    @Test("Revocations are numbered from 1, and a reader gets those after its number, page by page")
    func pages() {
        let log = RevocationLog(run: "r")
        log.append(self.batch(["a", "b"]))
        log.append(self.batch([]))
        log.append(self.batch(["c", "d", "e"], from: 2))
        #expect(log.total == 5)
        #expect(log.end == 5)
        let first = log.page(after: 0, limit: 3)
        #expect(self.keys(first) == ["a", "b", "c"])
        #expect(first.notices.map(\.number) == [1, 2, 3])
        #expect(first.cursor == 3)
        let second = log.page(after: first.cursor, limit: 3)
        #expect(self.keys(second) == ["d", "e"])
        #expect(second.gap == nil)
        #expect(self.keys(log.page(after: 5)) == [])
        #expect(log.newest(2).map(\.number) == [5, 4])
        #expect(log.newest(of: Array("b".utf8), limit: 9).map(\.number) == [2])
    }

    @Test("Discarded events are reported as a gap, followed by the kept ones", arguments: [3, 5, 8])
    func expired(limit: Int) {
        let log = RevocationLog(run: "r", countLimit: limit)
        for number in 0..<100 { log.append(self.batch(["k\(number)"])) }
        let page = log.page(after: 0, limit: 1000)
        #expect(page.gap == .expired)
        #expect(self.keys(page) == ((100 - limit)..<100).map { "k\($0)" })
        #expect(log.page(after: UInt64(100 - limit)).gap == nil)
        #expect(log.page(after: UInt64(100 - limit - 1)).gap == .expired)
        #expect(log.total == 100)
    }

    @Test("The bytes of the keys are bounded, too")
    func bytes() {
        let log = RevocationLog(run: "r", byteLimit: 1000)
        for _ in 0..<50 { log.append(self.batch([String(repeating: "x", count: 400)])) }
        #expect(log.page(after: 0).notices.count == 2)
    }

    @Test("Evictions and resets are numbered and kept like revocations, and distinguished")
    func kinds() {
        let log = RevocationLog(run: "r", countLimit: 3)
        var batch = self.batch(["a"])
        batch.add("b".utf8.span, EntryID(milliseconds: 2, sequence: 0), .eviction(reason: "malformed_event"))
        log.append(batch)
        var reset = RevocationLog.Batch()
        reset.add([UInt8]().span, .zero, .reset(store: "s", reason: "trimmed"))
        log.append(reset)
        let page = log.page(after: 0)
        #expect(page.notices.map(\.number) == [1, 2, 3])
        #expect(
            page.notices.map(\.kind)
                == [.revocation, .eviction(reason: "malformed_event"), .reset(store: "s", reason: "trimmed")])
        #expect(self.keys(log.page(after: 1)) == ["b", ""])
        #expect(log.newest(of: Array("b".utf8), limit: 9).map(\.kind) == [.eviction(reason: "malformed_event")])
        #expect(log.newest(of: [], limit: 9).isEmpty)
        #expect(log.total == 1)
        log.append(self.batch(["c"]))
        #expect(log.page(after: 0).gap == .expired)
    }

    @Test("Entries lost before they were read are a gap at their position")
    func losses() {
        let log = RevocationLog(run: "r")
        log.append(self.batch(["a"]))
        log.noteLoss()
        log.append(self.batch(["b"]))
        let first = log.page(after: 0)
        #expect(self.keys(first) == ["a"])
        #expect(first.gap == nil)
        let second = log.page(after: first.cursor)
        #expect(second.gap == .entriesLost)
        #expect(self.keys(second) == ["b"])
        #expect(log.page(after: second.cursor).gap == nil)
    }
}
