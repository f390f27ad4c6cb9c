import StageKit

/// Runs batches through a graph: brings every event to its outcome, then ends the batch with every stage.
///
/// Used by one task at a time, the one that reads the stream. With lanes (`LaneSettings`) it distributes a batch's
/// events by their keys, and all lanes process their shares concurrently, so that none waits for another. It joins them
/// at the end of the batch, so the cursor is after every event when it moves, as without lanes. A window that slides
/// over batches would keep the other lanes busy while one is slow, but would have to hold, retry and give up entries of
/// many batches out of order. Outcomes are settled after the join, in stream order.
final class GraphRunner {
    /// The version of the file to which the graph belongs.
    var generation: Int
    private let lanes: [Lane]
    private let plan: LanePlan?
    private let counters: SharedCounters
    private let observer: (any OutcomeObserver)?
    /// The lane of each event of the current batch.
    private var dealt: [Int] = []
    /// The error that aborted a batch, or `nil`. The stages have not ended that batch, so they accept no other.
    private var failure: (any Error)?

    /// Creates a runner of graphs of one file: one, or as many as the plan has lanes.
    init(
        graphs: [StageGraph], plan: LanePlan?, generation: Int, counters: SharedCounters, flight: BatchInFlight,
        observer: (any OutcomeObserver)?, services: PipelineServices
    ) {
        precondition(graphs.count == plan?.count ?? 1, "a graph for each lane")
        self.generation = generation
        self.plan = plan
        self.counters = counters
        self.observer = observer
        self.lanes = graphs.map { Lane(graph: $0, flight: flight, observer: observer, services: services) }
        counters.replace(self.lanes[0].walker.counters, graph: self.lanes[0].graph)
    }

    /// Continues with other graphs, between two batches; counts are carried over by name.
    func replace(_ graphs: [StageGraph], generation: Int) async {
        for (lane, graph) in zip(self.lanes, graphs) { await lane.replace(graph) }
        self.generation = generation
        self.counters.replace(self.counted().counters, graph: self.lanes[0].graph)
    }

    /// Brings every event of the batch to its outcome.
    ///
    /// - Throws: An error if a stage or the observer cannot end the batch. Every later call throws the same error and
    ///   does nothing.
    func process(_ batch: EventBatch) async throws {
        if let failure = self.failure { throw failure }
        do {
            try await self.work(on: batch)
        } catch {
            self.failure = error
            throw error
        }
    }

    private func work(on batch: EventBatch) async throws {
        defer {
            let (counters, names) = self.counted()
            self.counters.publish(counters, reasons: names.reasons)
        }
        let interest = self.observer?.beginBatch(of: batch.count) ?? .none
        for lane in self.lanes { lane.tell(interest) }
        if let plan = self.plan {
            try await self.process(batch, plan)
        } else {
            try await self.lanes[0].process(batch)
        }
        for lane in self.lanes { try await lane.endBatch() }
        try await self.observer?.endBatch()
    }

    /// Returns the counts of all lanes together, and the names of the first lane's graph, by which they are counted.
    ///
    /// Read the reasons afterwards: the other lanes' counts may add some. Each access to a lane's walker is checked at
    /// run time, so there is only one for each lane.
    private func counted() -> (counters: RunnerCounters, names: GraphNames) {
        let (first, names) = self.lanes[0].countersWithTally()
        var sum = first
        for lane in self.lanes.dropFirst() {
            let counters = lane.countersWithTally().counters
            sum.add(counters.carried(from: lane.graph, to: self.lanes[0].graph))
        }
        return (sum, names)
    }

    /// Lets every stage close its resources; called once, after the last batch.
    func shutDown() async {
        for lane in self.lanes { await lane.shutDown() }
    }

    // MARK: Lanes

    /// Lets every lane process its share of the batch, then settles all events in stream order.
    private func process(_ batch: EventBatch, _ plan: LanePlan) async throws {
        self.deal(batch, plan)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for lane in self.lanes where !lane.batch.isEmpty {
                // Safe because each lane is used only by its one task until the group has ended.
                nonisolated(unsafe) let lane = lane
                tasks.addTask { try await unsafe lane.work() }
            }
            // The first lane that fails ends the waits of the others and the batch: nothing of it is settled. The group is
            // cancelled when its body throws; `waitForAll` would first wait for all lanes.
            for try await _ in tasks {}
        }
        for index in self.dealt { self.lanes[index].settleEntry() }
        for lane in self.lanes { lane.finishBatch() }
        self.lanes[0].countBatch()
    }

    /// Copies each event into the batch of its lane.
    private func deal(_ batch: EventBatch, _ plan: LanePlan) {
        self.dealt.removeAll(keepingCapacity: true)
        for lane in self.lanes {
            lane.batch.removeAll()
            lane.batch.stream = batch.stream
            lane.batch.streamIndex = batch.streamIndex
            lane.batch.finishedUpTo = batch.finishedUpTo
        }
        for index in 0..<batch.count {
            let lane = batch.withEvent(at: index) { plan.lane(of: $0) }
            self.dealt.append(lane)
            self.lanes[lane].batch.appendCopy(of: batch, at: index)
        }
    }
}
