package import PipelineEngine

/// A graph as a Mermaid flowchart.
package enum GraphMermaid {
    /// Returns the flowchart.
    package static func render(_ graph: GraphDescription) -> String {
        var lines = ["flowchart LR"]
        lines.append("    source([\(self.text([graph.source.type, graph.source.stream]))])")
        for index in graph.stages(in: nil) { lines.append("    \(self.node(index, graph))") }
        for (number, branch) in graph.branches.enumerated() {
            lines.append("    subgraph branch\(number) [\(self.text(["branch \(branch)"]))]")
            for index in graph.stages(in: branch) { lines.append("        \(self.node(index, graph))") }
            lines.append("    end")
        }
        for (number, store) in graph.stores.enumerated() {
            lines.append("    store\(number)[(\(self.text([store.name, store.type])))]")
        }
        for (number, word) in self.ends(graph).enumerated() { lines.append("    end\(number)([\(self.text([word]))])") }
        for arrow in graph.arrows {
            guard let from = self.id(arrow.from, graph), let to = self.id(arrow.to, graph) else { continue }
            lines.append("    \(from) \(self.line(arrow)) \(to)")
        }
        return lines.joined(separator: "\n")
    }

    private static func node(_ index: Int, _ graph: GraphDescription) -> String {
        "s\(index)[\(self.text(GraphWords.label(graph.stages[index])))]"
    }

    private static func line(_ arrow: GraphDescription.Arrow) -> String {
        let label = arrow.label.map { "|\(self.text([$0]))|" } ?? ""
        return switch arrow.kind {
        case .next: "-->\(label)"
        case .failure: "-.->\(arrow.label == nil ? "|failure|" : label)"
        case .route: "==>\(label)"
        case .store: "-->\(label)"
        }
    }

    /// Returns the ends, except the drop of failed events, which is the default for failures.
    private static func ends(_ graph: GraphDescription) -> [String] {
        var words: [String] = []
        for arrow in graph.arrows {
            if case .end(let word) = arrow.to, word != "drop" || arrow.kind != .failure, !words.contains(word) {
                words.append(word)
            }
        }
        return words
    }

    private static func id(_ vertex: GraphDescription.Vertex, _ graph: GraphDescription) -> String? {
        switch vertex {
        case .source: "source"
        case .stage(let index): "s\(index)"
        case .store(let name): graph.stores.firstIndex { $0.name == name }.map { "store\($0)" }
        case .end(let word): self.ends(graph).firstIndex(of: word).map { "end\($0)" }
        }
    }

    /// Returns lines of text in quotes; special characters are written as numeric entities (Mermaid's documentation,
    /// "Entity codes to escape").
    private static func text(_ lines: [String]) -> String {
        let escaped = lines.filter { !$0.isEmpty }.map { line in
            line.unicodeScalars.map { scalar in
                "\"#<>&[]{}()|`\\".unicodeScalars.contains(scalar) || scalar.properties.generalCategory == .control
                    ? "#\(scalar.value);" : String(scalar)
            }.joined()
        }
        return "\"\(escaped.joined(separator: "<br/>"))\""
    }
}
