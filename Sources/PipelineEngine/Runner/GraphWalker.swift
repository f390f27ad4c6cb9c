import CoreMetrics
import Logging
import StageKit

/// Takes events along the arrows of a graph and ensures that each one ends in exactly one counted outcome.
///
/// Events of a batch are processed in chunks: the pure stages at the head first, for all events of the chunk, then the
/// stages with effects, event by event in stream order. Pure stages touch nothing but their own event, so the result is
/// the same as for one event at a time; the benefit is that stores can prefetch memory for all events of a chunk.
///
/// A struct, so that its state can be accessed without exclusivity checks.
struct GraphWalker {
    /// The number of events processed together: enough to hide memory latency, few enough to stay in the nearest cache;
    /// equal to the capacity of `resume`.
    static let chunkSize = 32
    /// One event out of this number is timed stage by stage: reading the clock costs more than most stages.
    static let sampleInterval: UInt64 = 1024

    /// The outcomes of the events so far.
    var counters: RunnerCounters
    /// The waiting events, by the index of each node whose stage waits.
    let waiting: [WaitingEvents?]
    /// The progress of a batch that is processed in passes.
    var progress = PassProgress()

    let nodes: NodeTable
    let passes: PassPlan
    private let starts: [Int]
    /// The first node of events that failed at the source, or `nil` if the file does not say.
    private let refusedStart: Int?
    private let pureCount: Int
    let names: GraphNames
    private let keyField: FieldID?
    private let observer: (any OutcomeObserver)?
    private let fields: FieldTable
    /// The events of this batch that are reported to the observer.
    var interest = OutcomeInterest.none
    private let logger: Logger
    /// The durations of each stage: for the events that are timed, and for each processing of waiting events.
    let timers: [Timer]
    /// The main path's stages that are shown events ahead of time, if nothing is waited for before them.
    private let preparing: [Int]
    /// The stages that add events.
    let emitters: [StageGraph.Emitter]
    /// Counts that nearly every event increments, not yet added to `counters`.
    let tally: EventTally
    /// The node at which each event of the chunk continues after the pure stages.
    private(set) var resume = InlineArray<32, Int>(repeating: 0)

    init(graph: StageGraph, observer: (any OutcomeObserver)?, services: PipelineServices) {
        self.nodes = NodeTable(graph.nodes)
        self.passes = graph.passes
        self.waiting = graph.nodes.map { $0.waits ? WaitingEvents(progress: services.progress) : nil }
        self.pureCount = graph.pureCount
        self.names = graph.names
        self.keyField = graph.keyField
        self.observer = observer
        self.fields = FieldTable(graph.names)
        self.logger = services.logger
        self.timers = graph.nodes.map { node in
            Timer(label: "sluice_stage_seconds", dimensions: [("stage", node.name)], factory: services.metrics)
        }
        self.counters = RunnerCounters(stageCount: graph.nodes.count)
        self.starts = graph.starts
        self.refusedStart = graph.sourceFailure
        self.preparing = (0..<min(graph.mainCount, graph.nodes.count)).filter { index in
            graph.nodes[index].preparesEvents && graph.passes.passes[index] == 0
        }
        self.emitters = graph.emitters
        self.tally = EventTally(stageCount: graph.nodes.count)
    }

    /// Brings every event of the batch to its outcome.
    mutating func process(_ batch: EventBatch) {
        batch.prepareCells(fieldCount: self.names.fields.count)
        var start = 0
        while start < batch.count {
            let end = min(start + Self.chunkSize, batch.count)
            self.process(batch, start..<end)
            start = end
        }
        self.counters.batches += 1
    }

    private mutating func process(_ batch: EventBatch, _ chunk: Range<Int>) {
        let before = self.counters.read
        self.walkHead(batch, chunk, before)
        for index in chunk {
            let offset = index - chunk.lowerBound
            batch.withEvent(at: index) { event in
                let start = self.resume[offset]
                let end = self.walk(&event, from: start, below: self.nodes.count, Self.isSampled(before, offset))
                assert(end == StageGraph.end, "an event leaves the graph at its end")
                self.settle(event)
            }
        }
        self.counters.read += UInt64(chunk.count)
    }

    /// Takes the events of a chunk through the pure stages at the head and announces them to the stages that prepare
    /// for events; stores in `resume` where each one continues.
    @inline(__always)
    mutating func walkHead(_ batch: EventBatch, _ chunk: Range<Int>, _ before: UInt64) {
        let hasRefusals = batch.hasRefusals
        for index in chunk {
            let offset = index - chunk.lowerBound
            batch.withEvent(at: index) { event in
                let start = hasRefusals && event.hasFailed ? self.startRefused(&event, batch, index) : 0
                let next = self.walk(&event, from: start, below: self.pureCount, Self.isSampled(before, offset))
                self.resume[offset] = next
                if next == self.pureCount {
                    for node in self.preparing { self.nodes.prepare(event, at: node) }
                }
            }
        }
    }

    /// Returns the first node of an event that failed at the source.
    ///
    /// If the file does not say and only a part of the entry is missing, a pure first stage reads the rest of it and
    /// then fails: the stages that handle its failures know the event's key, and can remove what it names.
    @inline(never)
    private mutating func startRefused(_ event: inout Event, _ batch: EventBatch, _ index: Int) -> Int {
        if let start = self.refusedStart { return start }
        guard self.pureCount > 0, batch.isPartial(at: index) else { return StageGraph.end }
        _ = try? self.nodes.process(&event, at: 0)
        self.counters.stages[0].failed += 1
        return self.nodes[0].arrows.onFailure ?? StageGraph.end
    }

    /// Adds the counts of the tally to `counters`; returns these and the names of the graph.
    mutating func countersWithTally() -> (counters: RunnerCounters, names: GraphNames) {
        self.tally.add(to: &self.counters)
        return (self.counters, self.names)
    }

    static func isSampled(_ before: UInt64, _ offset: Int) -> Bool {
        (before &+ UInt64(offset)) % Self.sampleInterval == 0
    }

    /// Takes the event along the arrows until it leaves the nodes below `limit`; returns its new position.
    @inline(__always)
    private mutating func walk(_ event: inout Event, from start: Int, below limit: Int, _ isSampled: Bool) -> Int {
        var index = start
        while index >= 0, index < limit {
            index = isSampled ? self.timedStep(&event, at: index) : self.step(&event, at: index)
        }
        return index
    }

    @inline(never)
    mutating func timedStep(_ event: inout Event, at index: Int) -> Int {
        let clock = ContinuousClock()
        let before = clock.now
        let next = self.step(&event, at: index)
        self.timers[index].recordNanoseconds((clock.now - before).nanoseconds)
        return next
    }

    /// Lets one stage handle the event; returns the event's next position.
    @inline(__always)
    mutating func step(_ event: inout Event, at index: Int) -> Int {
        do {
            switch try self.nodes.process(&event, at: index) {
            case .next:
                self.tally.passed(index)
                return self.nodes.next(index)
            case nil:
                self.tally.skipped(index)
                return self.nodes.next(index)
            case .finish(let outcome, let reason):
                return self.finish(&event, outcome, reason, at: index)
            case .branch(let branch):
                self.tally.passed(index)
                return self.starts[Int(branch.index)]
            case .wait:
                return self.hold(&event, at: index)
            }
        } catch {
            return self.fail(&event, error, at: index)
        }
    }

    /// Applies a stage's decision about an event that has waited; returns the event's next position.
    mutating func take(_ decision: WaitingEvents.Decision, _ event: inout Event, at index: Int) -> Int {
        switch decision {
        case .next:
            self.tally.passed(index)
            return self.nodes.next(index)
        case .finish(let outcome, let reason):
            return self.finish(&event, outcome, reason, at: index)
        case .fail(let failure):
            return self.fail(&event, failure, at: index)
        case .expand:
            let message = "an event is expanded, but the stage's declaration does not say expands: true"
            return self.fail(&event, StageFailure("\(self.nodes[index].type): \(message)"), at: index)
        }
    }

    /// Finishes an event with the outcome that its stage has decided.
    @inline(__always)
    private mutating func finish(_ event: inout Event, _ outcome: Outcome, _ reason: ReasonID, at index: Int) -> Int {
        self.counters.stages[index].finished += 1
        event.settle(outcome, reason)
        event.end(at: index)
        return StageGraph.end
    }

    /// Lets an event wait, or fails it if its stage has not declared that its events may wait.
    @inline(never)
    private mutating func hold(_ event: inout Event, at index: Int) -> Int {
        guard self.waiting[index] == nil else { return StageGraph.held }
        let type = self.nodes[index].type
        return self.fail(
            &event, StageFailure("\(type): an event waits, but the stage's declaration does not say waits: true"),
            at: index)
    }

    /// Returns the next position of an event on which a stage failed: the same stage while there are attempts left,
    /// otherwise the target in the graph. Only the first failure of an event counts.
    ///
    /// - Parameter mayRetry: Whether the stage can be passed the event again.
    @inline(never)
    mutating func fail(_ event: inout Event, _ error: any Error, at index: Int, mayRetry: Bool = true) -> Int {
        let node = self.nodes[index]
        var failure = error as? StageFailure ?? StageFailure("\(node.type): \(error)")
        failure.reason = failure.reason ?? node.failureReason
        failure.stage = node.name
        // A stage that retries by itself has counted its own attempts.
        failure.attempts = max(failure.attempts, self.progress.attempt)
        if mayRetry, let retry = node.arrows.retry, self.progress.attempt < retry.attempts {
            self.counters.stages[index].retried += 1
            self.progress.failure = failure
            return StageGraph.retry
        }
        self.counters.stages[index].failed += 1
        let target = node.arrows.onFailure
        // A failure that ends the run is reported with its own error, even if the event had failed before.
        if event.hasFailed, target != StageGraph.halt {
            self.logger.warning(
                "stage failed on an event that had already failed",
                metadata: ["stage": "\(node.name)", "entry": "\(event.eventID)", "error": "\(failure.message)"])
            return target ?? node.arrows.next
        }
        event.fail(failure)
        return target ?? StageGraph.end
    }

    /// Counts the event's one outcome and reports it to the observer.
    @inline(__always)
    mutating func settle(_ event: borrowing Event) {
        let settled = event.settled
        if event.hasFailed { return self.settleFailed(event, settled?.outcome ?? .dropped) }
        let (outcome, reason) = settled ?? (.applied, .none)
        if settled == nil { self.tally.applied() } else { self.counters.count(outcome, reason) }
        if self.interest == .all || (settled != nil && self.interest == .unusual) {
            self.report(event, outcome, self.names.reasons[Int(reason.index)], nil)
        }
    }

    @inline(never)
    private mutating func settleFailed(_ event: borrowing Event, _ outcome: Outcome) {
        guard let failure = event.failure, let reason = failure.reason else { return }
        self.counters.count(outcome, self.names.reason(reason))
        if self.interest != .none { self.report(event, outcome, reason, failure) }
    }

    /// Reports an event to the observer, unless the observer does not want it.
    @inline(never)
    func report(
        _ event: borrowing Event, _ outcome: Outcome, _ reason: String, _ failure: StageFailure?
    ) {
        guard let observer = self.observer else { return }
        let endedBy = event.endingStage.map { self.nodes[$0].name }
        guard observer.wants(event, outcome, stage: failure?.stage ?? endedBy, key: self.keyField) else { return }
        let result = EventResult(
            outcome: outcome, reason: reason.isEmpty ? nil : reason, stage: failure?.stage, endedBy: endedBy,
            error: failure?.message, effects: event.effects.map { self.names.effects[Int($0.index)] },
            keyField: self.keyField, fields: self.fields)
        observer.observe(event, result)
    }
}

extension Duration {
    /// The duration in nanoseconds, for a timer.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = self.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
