import StageKit
import Testing

@testable import RedisStreams

/// A key on a server, with what the script does to it.
private struct ScriptModel {
    var live: EntryID?
    var evicted: EntryID?

    mutating func apply(_ request: BatchHistory.Request) -> SnapshotScript.Result {
        let held = (self.live ?? self.evicted).map { SnapshotScript.Held(entry: $0, isLive: self.live != nil) }
        let isNewer = held.map { request.entry > $0.entry } ?? true
        let isSame = held?.entry == request.entry
        switch request.change {
        case .evict where isNewer || (isSame && self.live != nil):
            (self.live, self.evicted) = (nil, request.entry)
            return SnapshotScript.Result(change: .applied, held: held)
        case .evict:
            return SnapshotScript.Result(change: isSame ? .repeated : .older, held: held)
        case .upsert where isNewer:
            (self.live, self.evicted) = (request.entry, nil)
            return SnapshotScript.Result(change: .applied, held: held)
        case .upsert:
            return SnapshotScript.Result(change: isSame && self.live != nil ? .repeated : .older, held: held)
        }
    }
}

@Suite struct BatchHistoryTests {
    private static func request(_ entry: UInt64, _ change: SnapshotScript.Change) -> BatchHistory.Request {
        BatchHistory.Request(key: [1], entry: EntryID(milliseconds: entry, sequence: 0), change: change)
    }

    @Test("Outcomes and state follow stream order, whatever stage comes first", arguments: 0..<300)
    func inOrder(seed: Int) {
        var random = SplitMix64(state: UInt64(seed))
        var before = ScriptModel()
        if Bool.random(using: &random) {
            let request = Self.request(UInt64.random(in: 1...6, using: &random), .upsert)
            _ = before.apply(request)
            if Bool.random(using: &random) { _ = before.apply(Self.request(request.entry.milliseconds, .evict)) }
        }
        // Each entry is upserted, evicted, or upserted and then evicted as a later stage fails on it.
        var upserts: [BatchHistory.Request] = []
        var evictions: [BatchHistory.Request] = []
        var all: [BatchHistory.Request] = []
        for entry in UInt64(3)...9 {
            let kind = Int.random(in: 0..<4, using: &random)
            if kind % 2 == 0 { upserts.append(Self.request(entry, .upsert)) }
            if kind > 0 { evictions.append(Self.request(entry, .evict)) }
            all += (kind % 2 == 0 ? upserts.suffix(1) : []) + (kind > 0 ? evictions.suffix(1) : [])
        }
        var expectedState = before
        let expected = all.map { expectedState.apply($0).change }
        var state = before
        var history = BatchHistory()
        var found: [String: StoreChange] = [:]
        for stage in [upserts, evictions] {
            for request in stage { history.ask(request) }
            for request in stage {
                found["\(request.entry) \(request.change)"] = history.note(state.apply(request), of: request)
            }
        }
        #expect(state.live == expectedState.live && state.evicted == expectedState.evicted)
        #expect(all.map { found["\($0.entry) \($0.change)"] } == expected, "\(all.map { "\($0.entry) \($0.change)" })")
    }

    @Test("A replayed event is ordered by its original among the changes of the batch")
    func replayed() {
        func held(_ entry: UInt64) -> SnapshotScript.Held {
            SnapshotScript.Held(entry: EntryID(milliseconds: entry, sequence: 0), isLive: true)
        }
        var history = BatchHistory()
        let first = Self.request(4, .upsert)
        var replayed = Self.request(2, .upsert)
        replayed.position = EntryID(milliseconds: 5, sequence: 0)
        let last = Self.request(6, .upsert)
        for request in [first, replayed, last] { history.ask(request) }
        #expect(history.note(SnapshotScript.Result(change: .applied, held: nil), of: first) == .applied)
        #expect(history.note(SnapshotScript.Result(change: .older, held: held(4)), of: replayed) == .older)
        #expect(history.note(SnapshotScript.Result(change: .applied, held: held(4)), of: last) == .applied)
        // The original itself and then its replay, in one batch.
        var again = BatchHistory()
        let original = Self.request(2, .upsert)
        for request in [original, replayed] { again.ask(request) }
        #expect(again.note(SnapshotScript.Result(change: .applied, held: nil), of: original) == .applied)
        #expect(again.note(SnapshotScript.Result(change: .repeated, held: held(2)), of: replayed) == .repeated)
    }

    @Test(
        "Changes that a server refused first and applied late still have the outcomes of stream order",
        arguments: 0..<300)
    func late(seed: Int) {
        var random = SplitMix64(state: UInt64(seed))
        var state = ScriptModel()
        // Another worker may have changed the key before: nothing, an older entry, or one in the middle of the batch.
        if Bool.random(using: &random) {
            _ = state.apply(
                Self.request(UInt64.random(in: 1...12, using: &random), Bool.random(using: &random) ? .upsert : .evict))
        }
        let requests = (UInt64(3)...9).map {
            Self.request($0, Int.random(in: 0..<3, using: &random) == 0 ? .evict : .upsert)
        }
        var expectedState = state
        let expected = requests.map { expectedState.apply($0).change }
        var history = BatchHistory()
        for request in requests { history.ask(request) }
        let refused = requests.filter { _ in Bool.random(using: &random) }
        var found: [EntryID: StoreChange] = [:]
        for request in requests.filter({ !refused.map(\.entry).contains($0.entry) }) + refused {
            found[request.entry] = history.note(state.apply(request), of: request)
        }
        #expect(state.live == expectedState.live && state.evicted == expectedState.evicted)
        #expect(requests.map { found[$0.entry] } == expected, "\(refused.map(\.entry))")
    }

    @Test("An applied but unconfirmed change counts as applied when it is found again")
    func repeated() {
        var history = BatchHistory()
        let (first, second) = (Self.request(1, .upsert), Self.request(2, .upsert))
        for request in [first, second] { history.ask(request) }
        // Both were applied, both answers lost: sent again, the first is older and the second repeated.
        let older = SnapshotScript.Result(change: .older, held: SnapshotScript.Held(entry: second.entry, isLive: true))
        #expect(history.note(older, of: first, mayBeRepeated: true) == .applied)
        let repeated = SnapshotScript.Result(
            change: .repeated, held: SnapshotScript.Held(entry: second.entry, isLive: true))
        #expect(history.note(repeated, of: second, mayBeRepeated: true) == .applied)
        #expect(history.note(repeated, of: second) == .repeated)
    }

    @Test("A snapshot of another worker is newer, and a finished batch is forgotten")
    func others() {
        var history = BatchHistory()
        let (request, own) = (Self.request(4, .upsert), Self.request(9, .upsert))
        history.ask(request)
        let older = SnapshotScript.Result(change: .older, held: SnapshotScript.Held(entry: own.entry, isLive: true))
        #expect(history.note(older, of: request) == .older)
        history.ask(own)
        _ = history.note(SnapshotScript.Result(change: .applied, held: nil), of: own)
        history.forget([[1]])
        #expect(history.note(older, of: request) == .older)
    }
}
