/// In which pass over a batch each node has its turn.
///
/// A pass takes every event, in stream order, along the nodes of that pass; behind it the stages whose events wait do
/// their work. A node comes one pass behind each waiting stage on any way that leads to it, so every stage sees the events
/// in stream order, and no arrow leads back into an earlier pass.
struct PassPlan {
    /// The pass of each node, from 0.
    let passes: ContiguousArray<Int>
    /// The nodes that wait, in the order of the graph, for each pass.
    let waiting: [[Int]]

    /// Plans the passes of nodes whose arrows make no circle.
    init(_ nodes: ContiguousArray<StageGraph.Node>) {
        var passes = ContiguousArray(repeating: 0, count: nodes.count)
        var isSettled = false
        // A way has at most as many nodes as there are: with a circle, which makes a graph unfit to run, this ends too.
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

    /// How many passes there are, at least one.
    var count: Int { self.waiting.count }

    /// Whether no event ever waits, so that each can be taken to its end at once.
    var isSingle: Bool { self.waiting == [[]] }
}
