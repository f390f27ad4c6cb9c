import Foundation
import PipelineEngine
import StageKit
import Testing

@testable import Admin
@testable import Operations

@Suite struct WatchObserverTests {
    private let recent = RecentOutcomes()
    private let taps = TapHub()
    /// What the clocks of observers and watchers say: limits per second see no time pass, however slow the machine is.
    private let moment = ContinuousClock.now

    private func observer() -> WatchObserver {
        WatchObserver(recent: self.recent, taps: self.taps, now: { [moment] in moment })
    }

    private func watcher(_ filter: TapWatcher.Filter) -> TapWatcher {
        TapWatcher(filter, now: { [moment] in moment })
    }

    /// Has an observer told of events with these keys, as one batch; each fails with an error or has the outcome.
    private func batch(
        _ observer: WatchObserver, _ keys: [[UInt8]], _ outcome: Outcome, error: String? = nil
    ) async throws {
        let names = GraphNames()
        let field = names.provide("id")
        names.keepSecret("token")
        let secret = names.provide("token")
        let batch = EventBatch()
        for (index, key) in keys.enumerated() {
            batch.append(
                id: EntryID(milliseconds: 5, sequence: UInt64(index)),
                fields: [(Array("id".utf8), key), (Array("token".utf8), Array("hidden-value".utf8))])
        }
        batch.prepareCells(fieldCount: 2)
        let interest = observer.beginBatch(of: keys.count)
        for index in keys.indices {
            batch.withEvent(at: index) { event in
                event.set(field, range: event.rawField(at: 0).value)
                event.set(secret, range: event.rawField(at: 1).value)
                if let error {
                    event.fail(StageFailure(error))
                } else if outcome != .applied {
                    event.settle(outcome, .none)
                }
                let isUnusual = error != nil || outcome != .applied
                guard interest == .all || (interest == .unusual && isUnusual) else { return }
                guard observer.wants(event, outcome, stage: "decode", key: field) else { return }
                observer.observe(
                    event,
                    EventResult(
                        outcome: outcome, reason: nil, stage: error.map { _ in "decode" }, error: error, effects: [],
                        keyField: field, fields: FieldTable(names)))
            }
        }
        try await observer.endBatch()
    }

    @Test("Without a watcher, only unusual events are recorded; with one, all are")
    func interest() {
        let observer = self.observer()
        #expect(observer.beginBatch(of: 1) == .unusual)
        let watcher = self.watcher(.init())
        self.taps.add(watcher)
        #expect(observer.beginBatch(of: 1) == .all)
        self.taps.remove(watcher)
        #expect(observer.beginBatch(of: 1) == .unusual)
    }

    @Test("Failed events are found by key, newest first; in a flood a batch keeps a few and counts the rest")
    func failures() async throws {
        let observer = self.observer()
        try await self.batch(observer, [Array("a".utf8), Array("b".utf8)], .dropped, error: "first")
        try await self.batch(observer, [Array("a".utf8)], .evicted, error: "second")
        let lines = self.recent.events(of: Array("a".utf8), limit: 10).map(\.json)
        #expect(lines.count == 2)
        #expect(lines.first?.contains("\"error\":\"second\"") == true)
        try await self.batch(observer, (0..<1000).map { Array("k\($0)".utf8) }, .dropped, error: "flood")
        #expect(self.recent.counts.kept == 3 + UInt64(RecentOutcomes.failuresABatch))
        #expect(self.recent.counts.unkept == UInt64(1000 - RecentOutcomes.failuresABatch))
    }

    @Test("Skipped events do not displace failed ones, and both are bounded")
    func rings() async throws {
        let observer = self.observer()
        try await self.batch(observer, [Array("bad".utf8)], .dropped, error: "bad")
        for _ in 0..<300 {
            try await self.batch(observer, (0..<20).map { Array("s\($0)".utf8) }, .skipped)
        }
        #expect(self.recent.events(of: Array("bad".utf8), limit: 10).count == 1)
        #expect(self.recent.events(of: Array("s0".utf8), limit: 10_000).count <= RecentOutcomes.limit)
        for _ in 0..<100 {
            try await self.batch(observer, (0..<64).map { Array("f\($0)".utf8) }, .dropped, error: "x")
        }
        #expect(self.recent.failures(10_000).count == RecentOutcomes.limit)
        #expect(self.recent.events(of: Array("bad".utf8), limit: 10).isEmpty)
    }

    @Test("A watcher sees the events of its filter, up to its capacity, and the number of missed ones")
    func watching() async throws {
        let observer = self.observer()
        let all = self.watcher(.init())
        let one = self.watcher(.init(key: Array("k7".utf8)))
        let none = self.watcher(.init(stage: "other"))
        for watcher in [all, one, none] { self.taps.add(watcher) }
        try await self.batch(observer, (0..<3000).map { Array("k\($0)".utf8) }, .applied)
        let (lines, missed) = all.drain()
        #expect(lines.count == AdminLimits.tapQueue)
        #expect(UInt64(lines.count) + missed == 3000)
        #expect(one.drain().lines.count == 1)
        #expect(none.drain().lines.isEmpty)
        #expect(self.recent.counts.kept == 0)
    }

    @Test("If the stream is too fast, failures are still shown, and the rest is counted as missed")
    func flood() async throws {
        let observer = self.observer()
        let watcher = self.watcher(.init(outcome: "dropped"))
        self.taps.add(watcher)
        let flood = LookBudget.perSecond
        try await self.batch(observer, Array(repeating: Array("a".utf8), count: flood), .applied)
        #expect(watcher.drain().missed == 0)
        let count = flood / 2
        #expect(observer.beginBatch(of: count) == .unusual)
        try await observer.endBatch()
        #expect(watcher.drain().missed == UInt64(count))
        try await self.batch(observer, Array(repeating: Array("b".utf8), count: count), .dropped, error: "bad")
        let (lines, missed) = watcher.drain()
        #expect(lines.count == AdminLimits.tapQueue && lines.count + Int(missed) == count)
    }

    @Test("The observation budget refills to at most one second's worth, and a batch is observed completely or not")
    func budget() {
        var budget = LookBudget()
        let start = ContinuousClock.now
        let second = LookBudget.perSecond
        let takes: [(count: Int, after: Duration, isTaken: Bool)] = [
            (second, .zero, true), (1000, .milliseconds(99), false), (1000, .milliseconds(100), true),
            (second, .milliseconds(900), false), (second * 2, .seconds(60), true), (1, .seconds(61), false),
            (1, .seconds(63), true),
        ]
        for take in takes {
            let isTaken = budget.take(take.count, at: start + take.after)
            #expect(isTaken == take.isTaken, "\(take)")
        }
    }

    @Test("No line contains secret values, and every line is JSON for any bytes in the stream")
    func secrets() async throws {
        let observer = self.observer()
        let watcher = self.watcher(.init())
        self.taps.add(watcher)
        let keys: [[UInt8]] = [
            Array("<img src=x onerror=alert(1)>".utf8), [0xFF, 0x00, 0x0A], Array("\u{1B}[2J\r\n".utf8),
            Array(repeating: 0x61, count: 5000), Array(String(repeating: "é", count: 2000).utf8),
        ]
        try await self.batch(observer, keys, .dropped, error: "\"\n</script>")
        let lines = watcher.drain().lines + self.recent.failures(10).map(\.json)
        #expect(lines.count == 2 * keys.count)
        for line in lines {
            #expect(!line.contains("hidden-value"))
            #expect(!line.contains("\n"))
            #expect(line.utf8.count < 4000)
            _ = try JSONSerialization.jsonObject(with: Data(line.utf8))
        }
        #expect(lines[0].contains("\"token\":\"[secret]\""))
    }
}
