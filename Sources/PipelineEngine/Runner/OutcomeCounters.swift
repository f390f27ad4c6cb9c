public import StageKit

/// Counts of the outcomes of events and of the results of each stage: plain numbers on the runner's thread, copied for
/// readers at the end of each batch.
struct RunnerCounters {
    /// The counts of one stage.
    struct Stage: BitwiseCopyable {
        /// Events that it passed on.
        var passed: UInt64 = 0
        /// Events that it finished without a failure.
        var finished: UInt64 = 0
        /// Events on which it failed.
        var failed: UInt64 = 0
        /// Events that did not meet its condition.
        var skipped: UInt64 = 0
        /// The number of retries.
        var retried: UInt64 = 0
        /// Events that it added.
        var emitted: UInt64 = 0
    }

    /// Events read.
    var read: UInt64 = 0
    /// Batches processed.
    var batches: UInt64 = 0
    /// Events by outcome and reason, at `outcome * reasonLimit + reason`.
    var outcomes: [UInt64]
    /// By stage, in the order of the graph.
    var stages: [Stage]

    /// One row for each outcome; `other` and "no reason" are added to the limit.
    static let reasonColumns = GraphNames.reasonLimit + 2

    init(stageCount: Int) {
        self.outcomes = Array(repeating: 0, count: Outcome.allCases.count * Self.reasonColumns)
        self.stages = Array(repeating: Stage(), count: stageCount)
    }

    /// Copies the numbers in place, without allocations or memory shared between threads.
    mutating func copy(from other: RunnerCounters) {
        self.read = other.read
        self.batches = other.batches
        var outcomes = self.outcomes.mutableSpan
        outcomes.copy(from: other.outcomes.span)
        var stages = self.stages.mutableSpan
        stages.copy(from: other.stages.span)
    }

    /// Adds counts of the same graph, except batches, which are the same in all lanes.
    mutating func add(_ other: RunnerCounters) {
        self.read += other.read
        for index in self.outcomes.indices { self.outcomes[index] += other.outcomes[index] }
        for index in self.stages.indices {
            self.stages[index].passed += other.stages[index].passed
            self.stages[index].finished += other.stages[index].finished
            self.stages[index].failed += other.stages[index].failed
            self.stages[index].skipped += other.stages[index].skipped
            self.stages[index].retried += other.stages[index].retried
            self.stages[index].emitted += other.stages[index].emitted
        }
    }

    /// Returns the same counts for another graph: outcomes by the same reasons, stages by the same name and type.
    ///
    /// Reasons that the new graph did not have are added to it, so that no count is lost.
    func carried(from old: StageGraph, to new: StageGraph) -> RunnerCounters {
        var carried = RunnerCounters(stageCount: new.nodes.count)
        carried.read = self.read
        carried.batches = self.batches
        for (index, reason) in old.names.reasons.enumerated() {
            let column = Int(new.names.reason(reason).index)
            for outcome in Outcome.allCases {
                let row = Int(outcome.rawValue) * Self.reasonColumns
                carried.outcomes[row + column] += self.outcomes[row + index]
            }
        }
        for (index, node) in new.nodes.enumerated() {
            let known = old.nodes.firstIndex { $0.name == node.name && $0.type == node.type }
            if let known { carried.stages[index] = self.stages[known] }
        }
        return carried
    }

    /// Counts the outcome of one event, or of several.
    mutating func count(_ outcome: Outcome, _ reason: ReasonID, times: UInt64 = 1) {
        self.outcomes[Int(outcome.rawValue) * Self.reasonColumns + Int(reason.index)] += times
    }
}

extension MutableSpan where Element: BitwiseCopyable {
    /// Copies as many elements of another span as this one has; a loop over an array would check its uniqueness at each
    /// step.
    fileprivate mutating func copy(from other: Span<Element>) {
        precondition(self.count == other.count, "spans of one length")
        for index in 0..<self.count { self[index] = other[index] }
    }
}

/// Counts of a pipeline so far, readable from any thread.
public struct PipelineStatistics: Sendable, Equatable {
    /// Events with one outcome and reason.
    public struct OutcomeCount: Sendable, Equatable {
        /// The outcome.
        public var outcome: Outcome
        /// The reason, or an empty string if there is none.
        public var reason: String
        /// The number of events.
        public var count: UInt64

        package init(outcome: Outcome, reason: String, count: UInt64) {
            self.outcome = outcome
            self.reason = reason
            self.count = count
        }
    }

    /// The counts of one stage.
    public struct StageCount: Sendable, Equatable {
        /// The stage's name in the graph.
        public var name: String
        /// Events that it passed on.
        public var passed: UInt64
        /// Events that it finished without a failure.
        public var finished: UInt64
        /// Events on which it failed.
        public var failed: UInt64
        /// Events that did not meet its condition.
        public var skipped: UInt64
        /// The number of retries on events on which it had failed.
        public var retried: UInt64
        /// Events that it added to those that were read.
        public var emitted: UInt64 = 0
    }

    /// Events read.
    public var read: UInt64 = 0
    /// Batches processed.
    public var batches: UInt64 = 0
    /// Events by outcome and reason; zero counts are omitted.
    public var outcomes: [OutcomeCount] = []
    /// By stage, in the order of the graph.
    public var stages: [StageCount] = []

    /// The events with an outcome, whatever the reason.
    public func total(_ outcome: Outcome) -> UInt64 {
        self.outcomes.reduce(0) { $0 + ($1.outcome == outcome ? $1.count : 0) }
    }
}

/// The last copy of a runner's counters.
final class SharedCounters: Sendable {
    private let state: OrderedMutex<(counters: RunnerCounters, reasons: [String], names: [String])>

    init(graph: StageGraph) {
        let names = graph.nodes.map(\.name)
        self.state = OrderedMutex((RunnerCounters(stageCount: names.count), graph.names.reasons, names))
    }

    /// Replaces the counts with those carried over to another graph; called between batches.
    func replace(_ counters: RunnerCounters, graph: StageGraph) {
        let (names, reasons) = (graph.nodes.map(\.name), graph.names.reasons)
        self.state.withLock { $0 = (counters, reasons, names) }
    }

    /// Stores a copy of the counts; called at the end of each batch.
    func publish(_ counters: RunnerCounters, reasons: [String]) {
        self.state.withLock { state in
            state.counters.copy(from: counters)
            if state.reasons.count != reasons.count { state.reasons = reasons }
        }
    }

    /// Returns the numbers with their names.
    func statistics() -> PipelineStatistics {
        let (counters, reasons, names) = self.state.withLock { $0 }
        var result = PipelineStatistics(read: counters.read, batches: counters.batches)
        for outcome in Outcome.allCases {
            for (index, reason) in reasons.enumerated() {
                let count = counters.outcomes[Int(outcome.rawValue) * RunnerCounters.reasonColumns + index]
                if count > 0 { result.outcomes.append(.init(outcome: outcome, reason: reason, count: count)) }
            }
        }
        result.stages = zip(names, counters.stages).map { name, stage in
            .init(
                name: name, passed: stage.passed, finished: stage.finished, failed: stage.failed,
                skipped: stage.skipped, retried: stage.retried, emitted: stage.emitted)
        }
        return result
    }
}
