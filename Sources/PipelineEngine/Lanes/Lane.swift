import Logging
import ServiceLifecycle
import StageKit

/// A running graph, which brings the events of a batch to their outcomes; used by one task at a time.
///
/// A worker without lanes has one, which processes the source's own batches. With lanes, each has stages of its own and
/// processes its share of a batch concurrently with the others.
final class Lane {
    /// The graph, whose stages belong only to this lane.
    private(set) var graph: StageGraph
    /// Takes events along the graph's arrows.
    private(set) var walker: GraphWalker
    /// The lane's share of a batch.
    let batch = EventBatch()
    private let services: PipelineServices
    private let flight: BatchInFlight
    private let observer: (any OutcomeObserver)?
    private let logger: Logger

    init(
        graph: StageGraph, flight: BatchInFlight, observer: (any OutcomeObserver)?,
        services: PipelineServices
    ) {
        self.graph = graph
        self.flight = flight
        self.services = services
        self.observer = observer
        self.logger = services.logger
        self.walker = GraphWalker(graph: graph, observer: observer, services: services)
    }

    /// Continues with another graph, between two batches; counts are carried over by name.
    func replace(_ graph: StageGraph) async {
        await self.shutDown()
        let counters = self.walker.counters.carried(from: self.graph, to: graph)
        self.walker = GraphWalker(graph: graph, observer: self.observer, services: self.services)
        self.walker.counters = counters
        self.graph = graph
    }

    /// Sets which events of the next batch are reported to the observer.
    func tell(_ interest: OutcomeInterest) {
        self.walker.interest = interest
    }

    /// Brings every event of a batch to its outcome and settles it.
    ///
    /// - Throws: An error if a stage cannot continue.
    func process(_ batch: EventBatch) async throws {
        if self.graph.isImmediate {
            self.walker.process(batch)
        } else {
            defer { batch.removeAdded() }
            try await self.work(on: batch)
            self.walker.settle(batch)
        }
    }

    /// Takes every event of the lane's share to the end of its path; nothing is settled yet.
    func work() async throws {
        try await self.work(on: self.batch)
    }

    /// Settles the next entry of the lane's share, and the events before it that stages have added.
    func settleEntry() {
        self.walker.settleEntry(self.batch)
    }

    /// Counts the events that `work` has processed, after all of them were settled.
    func finishBatch() {
        self.walker.counters.read += UInt64(self.batch.entryCount)
    }

    /// Counts a batch that several lanes have processed; called for one of them.
    func countBatch() {
        self.walker.counters.batches += 1
    }

    /// Adds the counts of the tally; returns the counters and the names of the graph.
    func countersWithTally() -> (counters: RunnerCounters, names: GraphNames) {
        self.walker.countersWithTally()
    }

    /// Ends a batch with every stage.
    func endBatch() async throws {
        // By index, because copying a node copies many references.
        for index in self.graph.nodes.indices where try !self.graph.nodes[index].stage.endBatchAtOnce() {
            try await self.flight.waiting(for: self.graph.nodes[index].name) {
                try await self.graph.nodes[index].stage.endBatch()
            }
            self.services.progress.pulse()
        }
    }

    /// Lets every stage close its resources; called once, after the graph's last batch.
    func shutDown() async {
        for node in self.graph.nodes { await node.stage.shutDown() }
    }

    /// In each pass, takes all events of the batch to the stages that wait, lets these do their work, and resumes the
    /// events.
    ///
    /// Outcomes are settled afterwards, so nothing is counted of a batch that is given up.
    private func work(on batch: EventBatch) async throws {
        self.walker.begin(batch)
        if batch.isEmpty, let time = batch.deliveredUpTo { self.walker.advance(batch, to: time) }
        for pass in 0..<self.graph.passes.count {
            while let stop = self.walker.walk(batch, pass: pass) { try await self.heed(stop) }
            for index in self.graph.passes.waiting[pass] { try await self.complete(batch, at: index) }
        }
    }

    private func complete(_ batch: EventBatch, at index: Int) async throws {
        guard let events = self.walker.waiting[index] else { return }
        while events.count > 0 {
            let start = ContinuousClock.now
            try await self.flight.waiting(for: self.graph.nodes[index].name) {
                try await self.graph.nodes[index].stage.complete(events)
            }
            self.services.progress.pulse()
            let stop = self.walker.resume(batch, at: index, took: ContinuousClock.now - start)
            if let stop { try await self.heed(stop) }
        }
    }

    /// Waits until a stage is retried, or ends the run.
    private func heed(_ stop: GraphWalker.Stop) async throws {
        switch stop {
        case .halt(let halt): throw halt
        case .retry(let event, let failure, let attempt, let wait):
            self.logger.warning(
                "\(RetryNotice.message)",
                metadata: [
                    "stage": "\(failure.stage ?? "")", "entry": "\(event)", "error": "\(failure.message)",
                    "attempt": "\(attempt)", "wait": "\(SettingUnits.text(wait))",
                ])
            do {
                try await self.flight.waiting(for: failure.stage ?? "") {
                    // A timer may fire late on a busy machine; one and a half times the wait is still a bound.
                    try await self.services.progress.waiting(atMost: wait * 1.5) {
                        try await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) }
                    }
                }
            } catch {
                throw RetryGivenUp()
            }
        }
    }
}

/// Ends the run if a shutdown begins while a stage is being retried: the cursor stays before the batch, so nothing is
/// lost.
struct RetryGivenUp: Error {}

/// The log message for a stage that is retried.
package enum RetryNotice {
    /// The text of the line.
    package static let message = "stage failed: retrying"
}
