package import PipelineEngine

/// A graph in the DOT language of Graphviz.
///
/// Source: https://graphviz.org/doc/info/lang.html
package enum GraphDOT {
    /// Returns the graph in DOT; `dot -Tsvg` draws it.
    package static func render(_ graph: GraphDescription) -> String {
        var lines = [
            "digraph \(self.quoted([graph.pipeline])) {",
            "    rankdir=LR;",
            "    node [shape=box, style=rounded, fontname=\"Helvetica\"];",
            "    edge [fontname=\"Helvetica\", fontsize=10];",
            "    source [shape=oval, label=\(self.quoted([graph.source.type, graph.source.stream]))];",
        ]
        for index in graph.stages(in: nil) { lines.append("    \(self.node(index, graph))") }
        for (number, branch) in graph.branches.enumerated() {
            lines.append("    subgraph cluster_\(number) {")
            lines.append("        label=\(self.quoted(["branch \(branch)"]));")
            for index in graph.stages(in: branch) { lines.append("        \(self.node(index, graph))") }
            lines.append("    }")
        }
        for (number, store) in graph.stores.enumerated() {
            lines.append("    store\(number) [shape=cylinder, label=\(self.quoted([store.name, store.type]))];")
        }
        var ends: [String] = []
        for arrow in graph.arrows {
            let (from, to) = (self.id(arrow.from, graph, &ends), self.id(arrow.to, graph, &ends))
            lines.append("    \(from) -> \(to)\(self.attributes(arrow));")
        }
        for (number, word) in ends.enumerated() {
            lines.append("    end\(number) [shape=plaintext, label=\(self.quoted([word]))];")
        }
        return (lines + ["}"]).joined(separator: "\n")
    }

    private static func node(_ index: Int, _ graph: GraphDescription) -> String {
        "s\(index) [label=\(self.quoted(GraphWords.label(graph.stages[index])))];"
    }

    private static func attributes(_ arrow: GraphDescription.Arrow) -> String {
        var attributes: [String] = []
        switch arrow.kind {
        case .next: break
        case .failure: attributes += ["style=dashed", "color=firebrick"]
        case .route: attributes += ["color=darkorchid"]
        case .store: attributes += ["color=steelblue"]
        }
        if let label = arrow.label { attributes.append("label=\(self.quoted([label]))") }
        return attributes.isEmpty ? "" : " [\(attributes.joined(separator: ", "))]"
    }

    private static func id(_ vertex: GraphDescription.Vertex, _ graph: GraphDescription, _ ends: inout [String])
        -> String
    {
        switch vertex {
        case .source: return "source"
        case .stage(let index): return "s\(index)"
        case .store(let name): return "store\(graph.stores.firstIndex { $0.name == name } ?? 0)"
        case .end(let word):
            if let index = ends.firstIndex(of: word) { return "end\(index)" }
            ends.append(word)
            return "end\(ends.count - 1)"
        }
    }

    /// Returns lines of text in quotes; quotes and backslashes are escaped, so that no text is mistaken for a DOT
    /// escape.
    private static func quoted(_ lines: [String]) -> String {
        let escaped = lines.filter { !$0.isEmpty }.map { line in
            line.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                .replacing("\n", with: " ")
        }
        return "\"\(escaped.joined(separator: "\\n"))\""
    }
}
