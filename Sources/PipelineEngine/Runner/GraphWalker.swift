import CoreMetrics
import Logging
import StageKit

/// Takes events along the arrows of a graph and sees to it that each one ends in exactly one counted outcome.
///
/// Events of a batch are worked on in chunks: the pure stages at the head first, for all events of the chunk, then the
/// stages with effects, event by event in stream order. Pure stages touch nothing but their own event, so the result is
/// that of one event at a time; what is won is that stores can fetch memory for a chunk of events at once.
///
/// A struct, so that its state is reached without a check for each access.
struct GraphWalker {
    /// Events worked on together: enough to hide the wait for memory, few enough to stay in the nearest cache; as many as
    /// `resume` has places.
    static let chunkSize = 32
    /// One event in so many is timed stage by stage: reading the clock costs more than most stages.
    static let sampleInterval: UInt64 = 1024

    /// What became of the events so far.
    var counters: RunnerCounters
    /// The events that wait, at the index of each node whose stage waits.
    let waiting: [WaitingEvents?]
    /// How far a batch is that is worked on in passes.
    var progress = PassProgress()

    let nodes: NodeTable
    let passes: PassPlan
    private let starts: [Int]
    /// Where events begin that arrived failed.
    private let refusedStart: Int
    private let pureCount: Int
    let names: GraphNames
    private let keyField: FieldID?
    private let observer: (any OutcomeObserver)?
    private let fields: FieldTable
    /// Which events of this batch the observer is told of.
    var interest = OutcomeInterest.none
    private let logger: Logger
    /// What each stage took, for the events that are timed, and each time it did its work on those that waited.
    let timers: [Timer]
    /// The main way's stages that want to see events ahead of time, where nothing is waited for before them.
    private let preparing: [Int]
    /// The counts that nearly every event adds to, since they were last added to `counters`.
    private let tally: EventTally
    /// Where each event of the chunk goes on after the pure stages.
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
        self.refusedStart = graph.sourceFailure ?? StageGraph.end
        self.preparing = (0..<min(graph.mainCount, graph.nodes.count)).filter { index in
            graph.nodes[index].preparesEvents && graph.passes.passes[index] == 0
        }
        self.tally = EventTally(stageCount: graph.nodes.count)
    }

    /// Brings every event of the batch to its outcome.
    mutating func process(_ batch: EventBatch) {
        batch.prepareSlots(fieldCount: self.names.fields.count)
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

    /// Takes the events of a chunk through the pure stages at the head and tells the stages that prepare for events; notes
    /// in `resume` where each goes on.
    @inline(__always)
    mutating func walkHead(_ batch: EventBatch, _ chunk: Range<Int>, _ before: UInt64) {
        let hasRefusals = batch.hasRefusals
        for index in chunk {
            let offset = index - chunk.lowerBound
            batch.withEvent(at: index) { event in
                let start = hasRefusals && event.hasFailed ? self.refusedStart : 0
                let next = self.walk(&event, from: start, below: self.pureCount, Self.isSampled(before, offset))
                self.resume[offset] = next
                if next == self.pureCount {
                    for node in self.preparing { self.nodes.prepare(event, at: node) }
                }
            }
        }
    }

    /// Adds what was counted apart to `counters`; to be called before they are read.
    mutating func addTally() {
        self.tally.add(to: &self.counters)
    }

    static func isSampled(_ before: UInt64, _ offset: Int) -> Bool {
        (before &+ UInt64(offset)) % Self.sampleInterval == 0
    }

    /// Takes the event along the arrows until it leaves the nodes below `limit`; returns where it is then.
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

    /// Has one stage handle the event; returns where the event goes.
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
                self.counters.stages[index].finished += 1
                event.settle(outcome, reason)
                event.end(at: index)
                return StageGraph.end
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

    /// Does with an event what a stage has decided that it waited for; returns where the event goes.
    mutating func take(_ decision: WaitingEvents.Decision, _ event: inout Event, at index: Int) -> Int {
        switch decision {
        case .next:
            self.tally.passed(index)
            return self.nodes.next(index)
        case .finish(let outcome, let reason):
            self.counters.stages[index].finished += 1
            event.settle(outcome, reason)
            event.end(at: index)
            return StageGraph.end
        case .fail(let failure):
            return self.fail(&event, failure, at: index)
        }
    }

    /// Lets an event wait, or fails it where its stage has not declared that its events do.
    @inline(never)
    private mutating func hold(_ event: inout Event, at index: Int) -> Int {
        guard self.waiting[index] == nil else { return StageGraph.held }
        let type = self.nodes[index].type
        return self.fail(
            &event, StageFailure("\(type): lets an event wait, which its declaration does not say (waits: true)"),
            at: index)
    }

    /// Says where an event goes that a stage failed on: back to it while there are attempts left, else where the graph
    /// leads. The first failure of an event is the one that counts.
    @inline(never)
    mutating func fail(_ event: inout Event, _ error: any Error, at index: Int) -> Int {
        let node = self.nodes[index]
        var failure = error as? StageFailure ?? StageFailure("\(node.type): \(error)")
        failure.reason = failure.reason ?? node.failureReason
        failure.stage = node.name
        // A stage that tries again by itself has counted for itself.
        failure.attempts = max(failure.attempts, self.progress.attempt)
        if let retry = node.arrows.retry, self.progress.attempt < retry.attempts {
            self.counters.stages[index].retried += 1
            self.progress.failure = failure
            return StageGraph.retry
        }
        self.counters.stages[index].failed += 1
        let target = node.arrows.onFailure
        // What ends the run is told with its error, whatever the event has behind it.
        if event.hasFailed, target != StageGraph.halt {
            self.logger.warning(
                "stage failed on an event that had failed",
                metadata: ["stage": "\(node.name)", "entry": "\(event.id)", "error": "\(failure.message)"])
            return target ?? node.arrows.next
        }
        event.fail(failure)
        return target ?? StageGraph.end
    }

    /// Counts the event's one outcome and tells the observer.
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

    @inline(never)
    private func report(
        _ event: borrowing Event, _ outcome: Outcome, _ reason: String, _ failure: StageFailure?
    ) {
        guard let observer = self.observer else { return }
        let endedBy = event.endingStage.map { self.nodes[$0].name }
        guard observer.wants(event, outcome, stage: failure?.stage ?? endedBy, key: self.keyField) else { return }
        let record = OutcomeRecord(
            outcome: outcome, reason: reason.isEmpty ? nil : reason, stage: failure?.stage, endedBy: endedBy,
            error: failure?.message, effects: event.effects.map { self.names.effects[Int($0.index)] },
            keyField: self.keyField, fields: self.fields)
        observer.observe(event, record)
    }
}

extension Duration {
    /// The duration in nanoseconds, for a timer.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = self.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
