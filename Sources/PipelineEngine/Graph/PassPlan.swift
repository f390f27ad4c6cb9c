/// Decides in which pass over a batch each node is processed.
///
/// A pass takes every event, in stream order, along the nodes of that pass; then the stages whose events wait do their
/// work. A node is one pass later than each waiting stage on any path to it, so every stage sees the events in stream
/// order, and no arrow leads back to an earlier pass.
struct PassPlan {
    /// The pass of each node, from 0.
    let passes: ContiguousArray<Int>
    /// The nodes that wait, in the order of the graph, for each pass.
    let waiting: [[Int]]

    /// Plans the passes of nodes whose arrows form no cycle.
    init(_ nodes: ContiguousArray<StageGraph.Node>) {
        var passes = ContiguousArray(repeating: 0, count: nodes.count)
        var isSettled = false
        // A path has at most as many nodes as the graph. The loop also ends if there is a cycle, which makes a graph
        // invalid.
        for _ in 0...nodes.count where !isSettled {
            isSettled = true
            for (index, node) in nodes.enumerated() {
                let least = passes[index] + (node.waits ? 1 : 0)
                for target in node.arrows.targets where target < nodes.count && passes[target] < least {
                    passes[target] = least
                    isSettled = false
                }
            }
        }
        self.passes = passes
        self.waiting = (0...(passes.max() ?? 0)).map { pass in
            nodes.indices.filter { nodes[$0].waits && passes[$0] == pass }
        }
    }

    /// The number of passes, at least one.
    var count: Int { self.waiting.count }

    /// Whether no event ever waits, so that each one can be finished immediately.
    var isSingle: Bool { self.waiting == [[]] }
}
