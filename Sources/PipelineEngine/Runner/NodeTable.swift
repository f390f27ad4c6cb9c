import StageKit

/// The nodes of a graph, reached without counting references: a count for each stage of each event would cost as much as
/// all the stages together.
///
/// Invariant, which makes the unsafe access sound: `nodes` holds every node for as long as the table lives, and is never
/// changed, so what `references` points to is alive whenever a method runs.
@safe
struct NodeTable {
    private let nodes: ContiguousArray<StageGraph.Node>
    private let references: ContiguousArray<Unmanaged<StageGraph.Node>>
    private let arrows: ContiguousArray<Int>

    /// Makes a table of a graph's nodes.
    init(_ nodes: ContiguousArray<StageGraph.Node>) {
        self.nodes = nodes
        unsafe self.references = ContiguousArray(nodes.map { unsafe Unmanaged.passUnretained($0) })
        self.arrows = ContiguousArray(nodes.map(\.arrows.next))
    }

    /// How many there are.
    var count: Int { self.nodes.count }

    /// The node at an index.
    subscript(index: Int) -> StageGraph.Node { self.nodes[index] }

    /// Where an event goes that the node lets on.
    func next(_ index: Int) -> Int { self.arrows[index] }

    /// Tells a node's stage that it will get an event soon.
    @inline(__always)
    func prepare(_ event: borrowing Event, at index: Int) {
        unsafe self.references[index]._withUnsafeGuaranteedRef { $0.stage.prepare(event) }
    }

    /// Has a node's stage handle an event; nil where its condition keeps the event from it.
    @inline(__always)
    func process(_ event: inout Event, at index: Int) throws -> Verdict? {
        try unsafe self.references[index]._withUnsafeGuaranteedRef { try $0.process(&event) }
    }
}
