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
        /// Where an event goes that the stage lets on, or that its condition keeps from it.
        let next: Int
        /// Where a failed event goes.
        let onFailure: Int
        /// Whether it stands in a branch that failed events take.
        let isInBranch: Bool
        /// The reason of a failure that gives none.
        let failureReason: String
        /// Whether it wants to see events ahead of time.
        let preparesEvents: Bool
        /// Whether events may wait at it.
        let waits: Bool
        /// What the stage was found to use.
        let uses: Uses

        init(
            stage: any Stage, type: StageType, name: String, condition: Condition?, next: Int, onFailure: Int,
            isInBranch: Bool, uses: Uses
        ) {
            self.stage = stage
            self.name = name
            self.type = type.name
            self.condition = condition
            self.next = next
            self.onFailure = onFailure
            self.isInBranch = isInBranch
            self.failureReason = type.failureReason
            self.preparesEvents = type.preparesEvents
            self.waits = type.waits
            self.uses = uses
        }

        /// Where its arrows lead.
        var targets: [Int] { [self.next, self.onFailure].filter { $0 >= 0 } }

        /// Has the stage handle an event that its condition lets through; nil where it does not.
        func process(_ event: inout Event) throws -> Verdict? {
            if let condition = self.condition, !condition.holds(for: event) { return nil }
            return try self.stage.process(&event)
        }
    }

    /// All stages: the main ones in order, then those of each branch.
    let nodes: ContiguousArray<Node>
    /// How many stages at the head may run a few events ahead of the others.
    let pureCount: Int
    /// Field, effect and reason names by number.
    let names: GraphNames
    /// The field that names what an event is about: the key of the first store.
    let keyField: FieldID?
    /// In which pass over a batch each node has its turn.
    let passes: PassPlan

    init(nodes: ContiguousArray<Node>, pureCount: Int, names: GraphNames, keyField: FieldID?) {
        self.nodes = nodes
        self.pureCount = pureCount
        self.names = names
        self.keyField = keyField
        self.passes = PassPlan(nodes)
    }
}
