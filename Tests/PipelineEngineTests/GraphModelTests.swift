import Foundation
import PipelineEngine
import StageKit
import StageTestKit
import Testing

@Suite struct GraphModelTests {
    private static let keys = ["k0", "k1", "k2", "k3"]
    /// The number of graphs of a test: ten times as many for `make rounds`.
    private static let graphs = ProcessInfo.processInfo.environment["SLUICE_ROUNDS"] == nil ? 16 : 160

    private static func entries(_ count: Int, seed: UInt64) -> [MemorySource.Entry] {
        var random = SplitMix64(state: seed)
        return (1...count).map {
            MemorySource.Entry(UInt64($0), ["key": self.keys[Int.random(in: 0..<4, using: &random)]])
        }
    }

    /// The calls of each stage for each key, in order.
    private static func byKey(_ calls: [String: [String]], _ entries: [MemorySource.Entry]) -> [String: [String]] {
        var keys: [String: String] = [:]
        for entry in entries { keys["\(entry.id)"] = String(decoding: entry.fields[0].value, as: UTF8.self) }
        var sorted: [String: [String]] = [:]
        for (call, ids) in calls {
            for id in ids { sorted["\(call) \(keys[id] ?? "")", default: []].append(id) }
        }
        return sorted
    }

    /// What a run leaves behind: ends in order, the calls of each stage in order, and the store.
    private struct Trace: Equatable {
        var ends: [GraphModel.End] = []
        var calls: [String: [String]] = [:]
        var store: [String: EntryID] = [:]
    }

    private func run(_ text: String, _ entries: [MemorySource.Entry], batchSize: Int) async throws -> Trace {
        let records = EventResults()
        let log = RecordingLog()
        let pipeline = try Probes.pipeline(text, entries: entries, batchSize: batchSize, records: records, log: log)
        try await pipeline.run()
        var trace = Trace()
        trace.ends = records.all.map { id, record in
            GraphModel.End(
                id: id, outcome: record.outcome, reason: record.reason, stage: record.stage, effects: record.effects)
        }
        for line in log.lines where line.level == "info" {
            let entry = line.metadata["entry"] ?? ""
            // Events that are completed again come behind others of their batch, so the first time is what counts.
            if line.message.hasSuffix(" complete"), trace.calls[line.message]?.contains(entry) == true { continue }
            trace.calls[line.message, default: []].append(entry)
        }
        for key in Self.keys { trace.store[key] = pipeline.stores["s"]?.snapshot(for: key)?.entryID }
        let statistics = pipeline.statistics
        #expect(statistics.read == UInt64(entries.count))
        #expect(statistics.outcomes.reduce(0) { $0 + $1.count } == statistics.read)
        return trace
    }

    @Test(
        "A graph processes a batch like a model that takes one event after another", arguments: 1...graphs)
    func model(seed: Int) async throws {
        var random = SplitMix64(state: UInt64(seed))
        let graph = GraphModel(using: &random)
        let entries = Self.entries(100, seed: UInt64(seed))
        var expected = Trace()
        for entry in entries {
            let key = String(decoding: entry.fields[0].value, as: UTF8.self)
            expected.ends.append(
                graph.end(entry.id, key: key) { stage in
                    expected.calls["\(stage) process", default: []].append("\(entry.id)")
                })
        }
        let single = try await self.run(graph.text, entries, batchSize: 1)
        #expect(single.ends == expected.ends, "\(graph.text)")
        #expect(single.calls.filter { $0.key.hasSuffix(" process") } == expected.calls, "\(graph.text)")
        for batchSize in [2, 7, 33, 100] {
            let trace = try await self.run(graph.text, entries, batchSize: batchSize)
            #expect(trace == single, "batches of \(batchSize)\n\(graph.text)")
        }
    }

    @Test(
        "Lanes give the same outcomes, store and order per key as one event after another",
        arguments: 1...graphs)
    func lanes(seed: Int) async throws {
        var random = SplitMix64(state: UInt64(seed))
        let graph = GraphModel(using: &random)
        let entries = Self.entries(120, seed: UInt64(seed))
        let single = try await self.run(graph.text, entries, batchSize: 1)
        for (lanes, batchSize) in [(2, 1), (2, 40), (3, 7), (8, 120)] {
            let text = graph.text + "lanes: { count: \(lanes), key: key }\n"
            let trace = try await self.run(text, entries, batchSize: batchSize)
            #expect(trace.ends == single.ends && trace.store == single.store, "\(lanes) lanes\n\(text)")
            #expect(Self.byKey(trace.calls, entries) == Self.byKey(single.calls, entries), "\(lanes) lanes\n\(text)")
        }
    }
}
