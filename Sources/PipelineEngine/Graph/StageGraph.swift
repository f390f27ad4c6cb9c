import StageKit

/// A checked graph, ready to run: every name is resolved, every stage created.
///
/// Nodes are in one array: the main stages first, then each branch; arrows are indices into it. An instance belongs to
/// one thread at a time, like its stages.
final class StageGraph {
    /// The target of an event whose processing stops.
    static let end = -1
    /// The position of an event that waits in a stage.
    static let held = -2
    /// The position of an event whose stage is to be retried.
    static let retry = -3
    /// The target of an event that ends the run.
    static let halt = -4

    /// A stage in the graph.
    final class Node {
        /// The stage.
        let stage: any Stage
        /// The stage's name in the graph.
        let name: String
        /// The stage's type.
        let type: String
        /// The condition for entering the stage; used only if there is one.
        private let condition: HeldCondition
        private let hasCondition: Bool
        /// The targets of its events.
        let arrows: Arrows
        /// The reason of a failure that has none of its own.
        let failureReason: String
        /// Whether the stage is shown events ahead of time.
        let preparesEvents: Bool
        /// Whether events may wait in it.
        let waits: Bool
        /// Whether it may replace events by events for their elements.
        let expands: Bool
        /// The components that the stage used when it was created.
        let uses: Uses

        init(
            stage: any Stage, type: StageType, name: String, condition: Condition?, arrows: Arrows, uses: Uses,
            waits: Bool
        ) {
            self.stage = stage
            self.name = name
            self.type = type.name
            self.hasCondition = condition != nil
            self.condition = HeldCondition(condition ?? Condition())
            self.arrows = arrows
            self.failureReason = type.failureReason
            self.preparesEvents = type.preparesEvents
            self.waits = waits
            self.expands = type.expands
            self.uses = uses
        }

        /// Lets the stage handle an event that meets its condition; returns `nil` if the event does not.
        func process(_ event: inout Event) throws -> Verdict? {
            if self.hasCondition {
                if let holds = self.condition.comparisonsHold(for: event) {
                    if !holds { return nil }
                } else if try !self.condition.othersHold(for: event) {
                    return nil
                }
            }
            return try self.stage.process(&event)
        }
    }

    /// A stage that adds events of its own.
    struct Emitter {
        /// The index of its node.
        let node: Int
        /// The stage.
        let stage: any EmittingStage
    }

    /// The targets of a node: indices of nodes, or one of the constants above.
    struct Arrows {
        /// The target of an event that continues, or that does not meet the condition.
        var next: Int
        /// The target of a failed event if the file sets one. Without it, processing of the event stops, unless it has
        /// failed before: then it continues with the next stage, because a log line that cannot be written must not
        /// prevent an eviction.
        var onFailure: Int?
        /// The retry policy of the stage, or `nil` for a single attempt.
        var retry: RetryPolicy?
        /// The starts of the branches that the stage may send events to.
        var branches: [Int]
        /// Whether the stage may pass an event on.
        var goesOn: Bool

        /// The nodes to which the arrows lead.
        var targets: [Int] { ([self.next, self.onFailure ?? StageGraph.end] + self.branches).filter { $0 >= 0 } }
    }

    /// All stages: the main ones in order, then those of each branch.
    let nodes: ContiguousArray<Node>
    /// The index of the first node of the main path, which is 0, and of each branch, by `BranchID`.
    let starts: [Int]
    /// The number of stages of the main path.
    let mainCount: Int
    /// The number of stages at the head that may process some events ahead of the others.
    let pureCount: Int
    /// Field, effect and reason names by number.
    let names: GraphNames
    /// The field that identifies the subject of an event: the key of the first store.
    let keyField: FieldID?
    /// The pass over a batch in which each node is processed.
    let passes: PassPlan
    /// Whether each event can be finished immediately: no stage waits, is retried, ends the run or adds events.
    let isImmediate: Bool
    /// The stages that add events of their own, in the order of their nodes. Made once, when the graph is created.
    let emitters: [Emitter]
    /// The states of the stages that save one.
    let states: [StageStates.Part]
    /// The target of events that fail at the source: the index of a node, or one of the constants above; `nil` if the
    /// file does not set it, and processing of the event stops.
    let sourceFailure: Int?
    /// Possible oversights in the file; the graph runs nevertheless.
    let warnings: [SettingIssue]
    /// The types of the fields at the stages that use a store, by store.
    let fieldTypes: [String: [String: FieldType]]

    /// Creates a graph of nodes; the first `mainCount` of them are the main path.
    init(
        nodes: ContiguousArray<Node>, mainCount: Int, starts: [Int], names: GraphNames, keyField: FieldID?,
        sourceFailure: Int? = nil, warnings: [SettingIssue] = [], fieldTypes: [String: [String: FieldType]] = [:]
    ) {
        self.nodes = nodes
        self.mainCount = mainCount
        self.starts = starts
        self.pureCount = nodes.prefix(mainCount).prefix(while: \.uses.isPure).count
        self.names = names
        self.keyField = keyField
        self.sourceFailure = sourceFailure
        self.warnings = warnings
        self.fieldTypes = fieldTypes
        self.passes = PassPlan(nodes)
        self.emitters = nodes.indices.compactMap { index in
            nodes[index].stage.emitting.map { Emitter(node: index, stage: $0) }
        }
        self.states = nodes.compactMap { node in
            node.stage.stateful.map { StageStates.Part(name: node.name, state: $0.state) }
        }
        self.isImmediate =
            self.passes.isSingle && sourceFailure != StageGraph.halt
            && nodes.allSatisfy { $0.arrows.retry == nil && $0.arrows.onFailure != StageGraph.halt }
            && self.emitters.isEmpty
    }

    /// Whether a stage adds events of its own.
    var addsEvents: Bool { !self.emitters.isEmpty }

    /// Whether a stage receives the time of a silent stream.
    var followsTime: Bool { self.emitters.contains { $0.stage.followsTime } }
}

/// A condition that cannot be copied: a copy would be retained for each event.
private struct HeldCondition: ~Copyable {
    private let condition: Condition

    init(_ condition: Condition) {
        self.condition = condition
    }

    @inline(__always)
    func comparisonsHold(for event: borrowing Event) -> Bool? { self.condition.comparisonsHold(for: event) }

    @inline(never)
    func othersHold(for event: borrowing Event) throws -> Bool { try self.condition.othersHold(for: event) }
}
