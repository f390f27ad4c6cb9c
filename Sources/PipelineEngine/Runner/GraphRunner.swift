import StageKit

/// Runs batches through a graph: has every event brought to its outcome, then ends the batch with every stage.
///
/// Used by one thread at a time, the one that reads the stream.
final class GraphRunner {
    private let graph: StageGraph
    private let counters: SharedCounters
    private let observer: (any OutcomeObserver)?
    private var walker: GraphWalker

    init(graph: StageGraph, counters: SharedCounters, observer: (any OutcomeObserver)?, services: PipelineServices) {
        self.graph = graph
        self.counters = counters
        self.observer = observer
        self.walker = GraphWalker(graph: graph, observer: observer, services: services)
    }

    /// Brings every event of the batch to its outcome. Throws where a stage or the observer cannot end the batch.
    func process(_ batch: EventBatch) async throws {
        self.walker.process(batch)
        defer { self.counters.publish(self.walker.counters, reasons: self.graph.names.reasons) }
        for node in self.graph.nodes { try await node.stage.endBatch() }
        try await self.observer?.endBatch()
    }
}
