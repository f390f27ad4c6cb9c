import StageKit

/// The nodes of a graph without reference counting, which would cost as much for each stage of each event as all stages
/// together.
///
/// Invariant, on which the unsafe access relies: `nodes` holds every node for as long as the table exists and never
/// changes, so the targets of `references` are alive whenever a method runs.
@safe
struct NodeTable {
    private let nodes: ContiguousArray<StageGraph.Node>
    private let references: ContiguousArray<Unmanaged<StageGraph.Node>>
    private let arrows: ContiguousArray<Int>

    /// Creates a table of a graph's nodes.
    init(_ nodes: ContiguousArray<StageGraph.Node>) {
        self.nodes = nodes
        unsafe self.references = ContiguousArray(nodes.map { unsafe Unmanaged.passUnretained($0) })
        self.arrows = ContiguousArray(nodes.map(\.arrows.next))
    }

    /// The number of nodes.
    var count: Int { self.nodes.count }

    /// The node at an index.
    subscript(index: Int) -> StageGraph.Node { self.nodes[index] }

    /// The target of an event that continues after the node.
    func next(_ index: Int) -> Int { self.arrows[index] }

    /// Announces an event to a node's stage.
    @inline(__always)
    func prepare(_ event: borrowing Event, at index: Int) {
        unsafe self.references[index]._withUnsafeGuaranteedRef { $0.stage.prepare(event) }
    }

    /// Lets a node's stage handle an event; returns `nil` if the event does not meet the condition.
    @inline(__always)
    func process(_ event: inout Event, at index: Int) throws -> Verdict? {
        try unsafe self.references[index]._withUnsafeGuaranteedRef { try $0.process(&event) }
    }
}
