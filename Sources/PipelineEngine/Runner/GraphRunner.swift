import Logging
import StageKit

/// Runs events through a graph and sees to it that each one ends in exactly one counted outcome.
///
/// Events of a batch are worked on in chunks: the pure stages at the head first, for all events of the chunk, then the
/// stages with effects, event by event in stream order. Pure stages touch nothing but their own event, so the result is
/// that of one event at a time; what is won is that stores can fetch memory for a chunk of events at once.
///
/// Used by one thread at a time, the one that reads the stream.
final class GraphRunner {
    /// Events worked on together: enough to hide the wait for memory, few enough to stay in the nearest cache.
    static let chunkSize = 32
    /// One event in so many is timed stage by stage: reading the clock costs more than most stages.
    static let sampleInterval: UInt64 = 1024

    private let graph: StageGraph
    private let counters: SharedCounters
    private let observer: (any OutcomeObserver)?
    private let logger: Logger
    private var own: RunnerCounters
    private let defaultReasons: [ReasonID]
    private let preparing: [any Stage]
    /// Where each event of the chunk goes on after the pure stages.
    private var resume: [Int]

    init(graph: StageGraph, counters: SharedCounters, observer: (any OutcomeObserver)?, logger: Logger) {
        self.graph = graph
        self.counters = counters
        self.observer = observer
        self.logger = logger
        self.own = RunnerCounters(stageCount: graph.nodes.count)
        self.defaultReasons = graph.nodes.map { graph.names.reason($0.failureReason) }
        self.preparing = graph.nodes.filter { $0.preparesEvents && !$0.isInBranch }.map(\.stage)
        self.resume = Array(repeating: 0, count: Self.chunkSize)
    }

    /// Brings every event of the batch to its outcome. Throws where a stage or the observer cannot end the batch.
    func process(_ batch: EventBatch) async throws {
        batch.prepareSlots(fieldCount: self.graph.names.fields.count)
        var start = 0
        while start < batch.count {
            let end = min(start + Self.chunkSize, batch.count)
            self.processChunk(batch, start..<end)
            start = end
        }
        self.own.batches += 1
        for node in self.graph.nodes { try await node.stage.endBatch() }
        try await self.observer?.endBatch()
        self.counters.publish(self.own, reasons: self.graph.names.reasons)
    }

    private func processChunk(_ batch: EventBatch, _ range: Range<Int>) {
        let pureCount = self.graph.pureCount
        for index in range {
            batch.withEvent(at: index) { event in
                self.own.read += 1
                let next = self.walk(&event, from: 0, while: pureCount)
                self.resume[index - range.lowerBound] = next
                if next == pureCount {
                    for stage in self.preparing { stage.prepare(event) }
                }
            }
        }
        for index in range {
            batch.withEvent(at: index) { event in
                let end = self.walk(&event, from: self.resume[index - range.lowerBound], while: self.graph.nodes.count)
                assert(end == StageGraph.end, "an event ends at the end of its way")
                self.settle(event)
            }
        }
    }

    /// Takes the event along the arrows until it leaves the nodes below `limit`; returns where it is then.
    @inline(__always)
    private func walk(_ event: inout Event, from start: Int, while limit: Int) -> Int {
        var index = start
        let isSampled = self.own.read % Self.sampleInterval == 0
        while index >= 0, index < limit {
            if isSampled {
                let clock = ContinuousClock()
                let before = clock.now
                let stage = index
                index = self.step(&event, at: index)
                self.own.stages[stage].sampledNanoseconds &+= UInt64(max(0, (clock.now - before).nanoseconds))
                self.own.stages[stage].samples += 1
            } else {
                index = self.step(&event, at: index)
            }
        }
        return index
    }

    /// Has one stage handle the event; returns where the event goes.
    @inline(__always)
    private func step(_ event: inout Event, at index: Int) -> Int {
        let node = self.graph.nodes[index]
        if let condition = node.condition, !condition.holds(for: event) {
            self.own.stages[index].skipped += 1
            return node.next
        }
        do {
            switch try node.stage.process(&event) {
            case .next:
                self.own.stages[index].passed += 1
                return node.next
            case .finish(let outcome, let reason):
                self.own.stages[index].finished += 1
                event.settle(outcome, reason)
                return StageGraph.end
            }
        } catch {
            return self.fail(&event, error, at: index)
        }
    }

    /// Notes a failure; the first one of an event is the one that counts.
    @inline(never)
    private func fail(_ event: inout Event, _ error: any Error, at index: Int) -> Int {
        let node = self.graph.nodes[index]
        self.own.stages[index].failed += 1
        var failure = error as? StageFailure ?? StageFailure("\(node.type): \(error)")
        failure.reason = failure.reason ?? node.failureReason
        failure.stage = node.name
        if event.hasFailed {
            self.logger.warning(
                "stage failed in a failure branch",
                metadata: ["stage": "\(node.name)", "entry": "\(event.id)", "error": "\(failure.message)"])
        } else {
            event.fail(failure)
        }
        return node.onFailure
    }

    /// Counts the event's one outcome and tells the observer.
    @inline(__always)
    private func settle(_ event: borrowing Event) {
        let settled = event.settled
        guard event.hasFailed else {
            let (outcome, reason) = settled ?? (.applied, .none)
            self.own.count(outcome, reason)
            if self.observer != nil { self.report(event, outcome, self.graph.names.reasons[Int(reason.index)], nil) }
            return
        }
        self.settleFailed(event, settled)
    }

    @inline(never)
    private func settleFailed(_ event: borrowing Event, _ settled: (outcome: Outcome, reason: ReasonID)?) {
        guard let failure = event.failure else { return }
        let outcome = settled?.outcome ?? .dropped
        let name = failure.reason ?? ""
        self.own.count(outcome, self.graph.names.reason(name))
        if self.observer != nil { self.report(event, outcome, name, failure) }
    }

    @inline(never)
    private func report(
        _ event: borrowing Event, _ outcome: Outcome, _ reason: String, _ failure: StageFailure?
    ) {
        let names = self.graph.names.effects
        self.observer?.observe(
            event,
            OutcomeRecord(
                outcome: outcome, reason: reason.isEmpty ? nil : reason, stage: failure?.stage,
                error: failure?.message, effects: event.effects.map { names[Int($0.index)] },
                keyField: self.graph.keyField))
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = self.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
