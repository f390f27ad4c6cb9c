import StageKit

/// A checked graph, ready to run: every name resolved, every stage made.
///
/// Nodes lie in one array: the main stages first, then each branch; arrows are indices into it. An instance belongs to
/// one thread at a time, as its stages do.
final class StageGraph {
    /// The arrow of an event whose way ends.
    static let end = -1
    /// Where an event is that waits at a stage.
    static let held = -2
    /// Where an event is whose stage is to be tried again.
    static let retry = -3
    /// The arrow of an event that ends the run.
    static let halt = -4

    /// A stage in the graph.
    final class Node {
        /// What it does.
        let stage: any Stage
        /// The stage's name in the graph.
        let name: String
        /// The stage's type.
        let type: String
        /// Asked before the stage; nil for always.
        let condition: Condition?
        /// Where its ways lead.
        let arrows: Arrows
        /// The reason of a failure that gives none.
        let failureReason: String
        /// Whether it wants to see events ahead of time.
        let preparesEvents: Bool
        /// Whether events may wait at it.
        let waits: Bool
        /// What the stage was found to use.
        let uses: Uses

        init(
            stage: any Stage, type: StageType, name: String, condition: Condition?, arrows: Arrows, uses: Uses,
            waits: Bool
        ) {
            self.stage = stage
            self.name = name
            self.type = type.name
            self.condition = condition
            self.arrows = arrows
            self.failureReason = type.failureReason
            self.preparesEvents = type.preparesEvents
            self.waits = waits
            self.uses = uses
        }

        /// Has the stage handle an event that its condition lets through; nil where it does not.
        func process(_ event: inout Event) throws -> Verdict? {
            if let condition = self.condition, !condition.holds(for: event) { return nil }
            return try self.stage.process(&event)
        }
    }

    /// Where the ways out of a node lead: indices of nodes, or one of the constants above.
    struct Arrows {
        /// Where an event goes that the stage lets on, or that its condition keeps from it.
        var next: Int
        /// Where a failed event goes where the file says so. Where it does not, the event's way ends, unless it has failed
        /// before: then the next stage has its turn, for a log that cannot be written must not keep an eviction from
        /// being done.
        var onFailure: Int?
        /// How the stage is tried again before the event has failed, nil for not at all.
        var retry: RetryPolicy?
        /// The starts of the branches that the stage may send events to.
        var branches: [Int]
        /// Whether the stage may let an event go on.
        var goesOn: Bool

        /// The nodes they lead to.
        var targets: [Int] { ([self.next, self.onFailure ?? StageGraph.end] + self.branches).filter { $0 >= 0 } }
    }

    /// All stages: the main ones in order, then those of each branch.
    let nodes: ContiguousArray<Node>
    /// The index of the first node of the main way, which is 0, and of each branch, by `BranchID`.
    let starts: [Int]
    /// How many stages the main way has.
    let mainCount: Int
    /// How many stages at the head may run a few events ahead of the others.
    let pureCount: Int
    /// Field, effect and reason names by number.
    let names: GraphNames
    /// The field that names what an event is about: the key of the first store.
    let keyField: FieldID?
    /// In which pass over a batch each node has its turn.
    let passes: PassPlan
    /// Whether each event can be taken to its end at once: nothing is waited for, tried again or ends the run.
    let isImmediate: Bool
    /// Where events go that fail at the source: the index of a node, or one of the constants above; nil where the file
    /// does not say, and their way ends.
    let sourceFailure: Int?
    /// What a person may have forgotten in the file; the graph runs all the same.
    let warnings: [SettingIssue]

    /// Makes a graph of nodes, the first `mainCount` of which are the main way.
    init(
        nodes: ContiguousArray<Node>, mainCount: Int, starts: [Int], names: GraphNames, keyField: FieldID?,
        sourceFailure: Int? = nil, warnings: [SettingIssue] = []
    ) {
        self.nodes = nodes
        self.mainCount = mainCount
        self.starts = starts
        self.pureCount = nodes.prefix(mainCount).prefix(while: \.uses.isPure).count
        self.names = names
        self.keyField = keyField
        self.sourceFailure = sourceFailure
        self.warnings = warnings
        self.passes = PassPlan(nodes)
        self.isImmediate =
            self.passes.isSingle && sourceFailure != StageGraph.halt
            && nodes.allSatisfy { $0.arrows.retry == nil && $0.arrows.onFailure != StageGraph.halt }
    }
}
