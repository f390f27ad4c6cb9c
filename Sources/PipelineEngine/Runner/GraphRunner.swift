import Logging
import ServiceLifecycle
import StageKit

/// Runs batches through a graph: has every event brought to its outcome, then ends the batch with every stage.
///
/// Used by one thread at a time, the one that reads the stream.
final class GraphRunner {
    /// Which version of the file the graph is of.
    var generation: Int
    private var graph: StageGraph
    private let services: PipelineServices
    private let counters: SharedCounters
    private let observer: (any OutcomeObserver)?
    private let logger: Logger
    private var walker: GraphWalker

    init(
        graph: StageGraph, generation: Int, counters: SharedCounters, observer: (any OutcomeObserver)?,
        services: PipelineServices
    ) {
        self.graph = graph
        self.generation = generation
        self.services = services
        self.counters = counters
        self.observer = observer
        self.logger = services.logger
        self.walker = GraphWalker(graph: graph, observer: observer, services: services)
        counters.replace(self.walker.counters, graph: graph)
    }

    /// Goes on with another graph, between two batches; what was counted so far goes on under the same names.
    func replace(_ graph: StageGraph, generation: Int) async {
        await self.shutDown()
        let counters = self.walker.counters.carried(from: self.graph, to: graph)
        self.walker = GraphWalker(graph: graph, observer: self.observer, services: self.services)
        self.walker.counters = counters
        self.graph = graph
        self.generation = generation
        self.counters.replace(counters, graph: graph)
    }

    /// Brings every event of the batch to its outcome. Throws where a stage or the observer cannot end the batch.
    func process(_ batch: EventBatch) async throws {
        defer {
            self.walker.addTally()
            self.counters.publish(self.walker.counters, reasons: self.graph.names.reasons)
        }
        if self.graph.isImmediate {
            self.walker.process(batch)
        } else {
            try await self.processInPasses(batch)
        }
        for node in self.graph.nodes { try await node.stage.endBatch() }
        try await self.observer?.endBatch()
    }

    /// Has all events of the batch come as far as the stages that wait, these do their work, and all go on from there.
    ///
    /// Outcomes are settled when all is done, so that of a batch that is given up nothing is counted.
    private func processInPasses(_ batch: EventBatch) async throws {
        self.walker.begin(batch)
        for pass in 0..<self.graph.passes.count {
            while let stop = self.walker.walk(batch, pass: pass) { try await self.heed(stop) }
            for index in self.graph.passes.waiting[pass] { try await self.complete(batch, at: index) }
        }
        self.walker.settle(batch)
    }

    private func complete(_ batch: EventBatch, at index: Int) async throws {
        guard let events = self.walker.waiting[index] else { return }
        while events.count > 0 {
            let start = ContinuousClock.now
            try await self.graph.nodes[index].stage.complete(events)
            let stop = self.walker.resume(batch, at: index, took: ContinuousClock.now - start)
            if let stop { try await self.heed(stop) }
        }
    }

    /// Waits until a stage is to be tried again, or ends the run.
    private func heed(_ stop: GraphWalker.Stop) async throws {
        self.counters.pulse()
        switch stop {
        case .halt(let halt): throw halt
        case .retry(let entry, let failure, let wait):
            self.logger.warning(
                "stage failed, trying again",
                metadata: [
                    "stage": "\(failure.stage ?? "")", "entry": "\(entry)", "error": "\(failure.message)",
                    "attempt": "\(failure.attempts)", "wait": "\(SettingUnits.text(wait))",
                ])
            do {
                try await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) }
            } catch {
                throw RetryGivenUp()
            }
        }
    }

    /// Lets every stage close what it has open; to be called once, after the graph's last batch.
    func shutDown() async {
        for node in self.graph.nodes { await node.stage.shutDown() }
    }
}

/// Ends the run where a shutdown begins while a stage is being tried again: the cursor stays before the batch, so nothing
/// is lost.
struct RetryGivenUp: Error {}
