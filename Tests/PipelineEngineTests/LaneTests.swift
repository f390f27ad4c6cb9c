import ComponentKit
import Logging
import StageKit
import StageTestKit
import Testing

@testable import PipelineEngine

@Suite struct LaneTests {
    private func plan(_ count: Int) -> LanePlan {
        LanePlan(LaneSettings(count: count, key: "key"))
    }

    private func lane(_ fields: [(String, String)], of count: Int) -> Int {
        let batch = EventBatch()
        batch.append(id: .zero, fields: fields.map { (Array($0.0.utf8), Array($0.1.utf8)) })
        return batch.withEvent(at: 0) { self.plan(count).lane(of: $0) }
    }

    @Test("A key has one lane, by the last value of a repeated name; without a key, the first lane")
    func oneLane() {
        for number in 0..<200 {
            let lane = self.lane([("key", "k\(number)")], of: 7)
            #expect((0..<7).contains(lane))
            #expect(self.lane([("a", "x"), ("key", "other"), ("key", "k\(number)"), ("keys", "y")], of: 7) == lane)
        }
        #expect(self.lane([("a", "x"), ("ke", "y")], of: 7) == 0 && self.lane([], of: 7) == 0)
    }

    @Test("Keys are spread over all lanes, none of which has more than 1.5 times its share", arguments: [2, 4, 8, 64])
    func spread(count: Int) {
        var counts = Array(repeating: 0, count: count)
        for number in 0..<64_000 {
            let key = Array("session-\(number)".utf8)
            counts[LanePlan.lane(of: key.span, among: count)] += 1
        }
        #expect(counts.max() ?? 0 < 64_000 / count * 3 / 2 && counts.min() ?? 0 > 64_000 / count / 2)
    }

    /// What waits at a stage of these tests, and how many lanes have been there at once.
    private final class Gate: Sendable {
        struct State {
            var waiting = 0
            var most = 0
            var isOpen = false
        }

        let state = OrderedMutex(State())

        /// Comes in and waits until as many as `count` have come, or the gate was opened.
        func pass(_ count: Int) async throws {
            self.state.withLock { state in
                state.waiting += 1
                state.most = max(state.most, state.waiting)
                if state.waiting >= count { state.isOpen = true }
            }
            while !self.state.withLock({ $0.isOpen }) { try await Task.sleep(for: .milliseconds(1)) }
            self.state.withLock { $0.waiting -= 1 }
        }
    }

    /// Has its events wait until the stages of all lanes have theirs waiting; throws on the key `bad`. An event with a
    /// key that begins with `stuck` waits until the lane is cancelled.
    private final class MeetStage: Stage {
        struct Settings: Sendable {
            var lanes = 1
        }

        struct Broken: Error {}

        static let gate = Gate()
        static let declaration = StageDeclaration(
            name: "meet", summary: "Waits for other lanes.",
            settings: .object(
                SettingsSchema(Settings(), [.optional("lanes", \.lanes, .integer(1...64), "How many.")])),
            example: "meet: {}", failureReason: "meet_failure", waits: true)

        private let settings: Settings

        init(_ settings: Settings, _ setup: StageSetup) {
            self.settings = settings
        }

        func process(_ event: inout Event) -> Verdict { .wait }

        func complete(_ events: WaitingEvents) async throws {
            let keys = (0..<events.count).map { position in
                events.withEvent(at: position) { event in
                    event.rawFieldCount > 0 ? event.text(event.rawField(at: 0).value) : ""
                }
            }
            if keys.contains("bad") { throw Broken() }
            if keys.contains(where: { $0.hasPrefix("stuck") }) { try await Task.sleep(for: .seconds(3600)) }
            try await Self.gate.pass(self.settings.lanes)
        }
    }

    private func pipeline(_ keys: [String], lanes: Int, meet: Int, records: EventResults) throws -> Pipeline {
        let entries = keys.enumerated().map { MemorySource.Entry(UInt64($0 + 1), ["key": $1]) }
        var catalogue = Probes.catalogue(entries: entries, batchSize: keys.count)
        catalogue.add(MeetStage.self)
        var services = PipelineServices(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        services.makeObserver = { EventResultsObserver(records) }
        let text = """
            pipeline: test
            source: { memory: {} }
            lanes: { count: \(lanes), key: key }
            stages:
              - meet: { lanes: \(meet) }
            """
        return try Pipeline(text: Array(text.utf8), file: "p.yaml", catalogue: catalogue, services: services)
    }

    @Test("Lanes do not wait for each other, and a batch that one lane breaks has no outcomes")
    func together() async throws {
        // Keys of four different lanes.
        let keys = (0..<4).map { lane in
            (0...).lazy.map { "k\($0)" }.first { LanePlan.lane(of: Array($0.utf8).span, among: 4) == lane } ?? ""
        }
        let records = EventResults()
        let pipeline = try self.pipeline(keys + keys, lanes: 4, meet: 4, records: records)
        try await pipeline.run()
        #expect(MeetStage.gate.state.withLock { $0.most } == 4)
        #expect(records.all.map(\.id) == (1...8).map { EntryID(milliseconds: $0, sequence: 0) })
        #expect(pipeline.statistics.read == 8 && pipeline.statistics.batches == 1)
        #expect(pipeline.statistics.total(.applied) == 8)

        let broken = try self.pipeline(keys + ["bad"], lanes: 4, meet: 1, records: records)
        await #expect(throws: MeetStage.Broken.self) { try await broken.run() }
        #expect(broken.statistics.read == 0 && broken.statistics.outcomes.isEmpty && records.all.count == 8)

        // The key of another lane than that of `bad`.
        let bad = LanePlan.lane(of: Array("bad".utf8).span, among: 4)
        let stuck = (0...).lazy.map { "stuck\($0)" }.first { LanePlan.lane(of: Array($0.utf8).span, among: 4) != bad }
        let waiting = try self.pipeline([stuck ?? "", "bad"], lanes: 4, meet: 1, records: records)
        await #expect(throws: MeetStage.Broken.self) { try await waiting.run() }
        #expect(waiting.statistics.outcomes.isEmpty && records.all.count == 8)
    }

    /// Delivers six entries, of which it knows three to be finished.
    private struct RereadingSource: EventSource {
        let stream = "memory"
        let status = SourceStatus()

        func run(_ deliver: (EventBatch) async throws -> Void) async throws {
            let batch = EventBatch()
            for number in 1...6 {
                batch.append(
                    id: EntryID(milliseconds: UInt64(number), sequence: 0),
                    fields: [(Array("key".utf8), Array("k\(number)".utf8))])
            }
            batch.finishedUpTo = EntryID(milliseconds: 3, sequence: 0)
            try await deliver(batch)
        }

        func stop() {}
    }

    /// Notes which events are known to be finished.
    private final class FinishedObserver: OutcomeObserver {
        /// What was seen, by the entries' milliseconds.
        final class Seen: Sendable {
            let events = OrderedMutex<[UInt64: Bool]>([:])
        }

        private let seen: Seen

        init(_ seen: Seen) { self.seen = seen }

        func observe(_ event: borrowing Event, _ record: EventResult) {
            let (id, isFinished) = (event.id.milliseconds, event.isKnownFinished)
            self.seen.events.withLock { $0[id] = isFinished }
        }

        func endBatch() async throws {}
    }

    @Test("Entries that the source knows to be finished are known in every lane", arguments: [1, 4])
    func knownFinished(lanes: Int) async throws {
        var catalogue = Probes.catalogue()
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(
            SourceType(name: "rereading", summary: "Reads again.", settings: nothing) { _, _ in RereadingSource() })
        let seen = FinishedObserver.Seen()
        var services = PipelineServices(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        services.makeObserver = { FinishedObserver(seen) }
        let text = """
            pipeline: test
            source: { rereading: {} }
            \(lanes > 1 ? "lanes: { count: \(lanes), key: key }" : "")
            stages:
              - probe
            """
        try await Pipeline(text: Array(text.utf8), file: "p.yaml", catalogue: catalogue, services: services).run()
        #expect(seen.events.withLock { $0 } == [1: true, 2: true, 3: true, 4: false, 5: false, 6: false])
    }

    @Test("An event keeps its failure and delivery count in its lane")
    func copied() {
        let batch = EventBatch()
        batch.append(id: EntryID(milliseconds: 1, sequence: 0), fields: [(Array("a".utf8), Array("1".utf8))])
        batch.append(id: EntryID(milliseconds: 2, sequence: 0), fields: [(Array("b".utf8), [])])
        batch.setDeliveries(5)
        batch.refuse(StageFailure("too often", reason: "max_deliveries"))
        let copy = EventBatch()
        for index in [1, 0] { copy.appendCopy(of: batch, at: index) }
        copy.prepareCells(fieldCount: 1)
        copy.withEvent(at: 0) { event in
            #expect(event.deliveries == 5 && event.failure?.reason == "max_deliveries" && event.id.milliseconds == 2)
            #expect(event.text(event.rawField(at: 0).name) == "b" && event.rawField(at: 0).value.length == 0)
        }
        copy.withEvent(at: 1) { event in
            #expect(event.deliveries == 1 && event.failure == nil && event.rawFieldCount == 1)
            #expect(event.text(event.rawField(at: 0).value) == "1")
        }
    }
}
