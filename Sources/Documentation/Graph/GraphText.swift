package import PipelineEngine

/// A graph for a terminal, within 80 columns unless names are very long.
package enum GraphText {
    /// Returns the graph as lines: the main stages from top to bottom, then each branch, then the stores.
    package static func render(_ graph: GraphDescription) -> String {
        var lines = [graph.pipeline, "", "● \(graph.source.type) \(graph.source.stream)"]
        lines += self.list(graph, nil)
        for branch in graph.branches {
            lines += ["", "◆ branch \(branch)" + self.callers(of: branch, graph)]
            lines += self.list(graph, branch)
        }
        if !graph.stores.isEmpty {
            lines += ["", "stores"]
            lines += graph.stores.map { store in
                "  \(store.name): \(store.type)" + (store.keyField.isEmpty ? "" : ", key \(store.keyField)")
            }
        }
        return lines.joined(separator: "\n")
    }

    /// Returns the stages of a list, each one followed by its remarks.
    private static func list(_ graph: GraphDescription, _ branch: String?) -> [String] {
        let indices = graph.stages(in: branch)
        let names = indices.map { GraphWords.shortName(graph.stages[$0]) }
        let width = min(names.map(\.count).max() ?? 0, 28)
        var lines = ["│"]
        for (position, index) in indices.enumerated() {
            let name = names[position].padding(to: width)
            let parts = self.remarks(graph, index)
            let isLast = position == indices.count - 1
            let head = "\(isLast ? "└─" : "├─") \(name)  "
            let rest = "\(isLast ? "  " : "│ ") \("".padding(to: width))  "
            lines += self.wrapped(parts, head: head, rest: rest)
        }
        return lines
    }

    /// Returns the remarks for a stage.
    private static func remarks(_ graph: GraphDescription, _ index: Int) -> [String] {
        let stage = graph.stages[index]
        var parts: [String] = []
        if let type = GraphWords.otherType(stage) { parts.append("(\(type))") }
        if let condition = stage.condition { parts.append("when \(condition)") }
        let stores = graph.arrows(from: index, .store).map { GraphWords.vertex($0.to, graph) }
        if !stage.effects.isEmpty || !stores.isEmpty {
            let effects = stage.effects.isEmpty ? "uses" : stage.effects.joined(separator: ", ")
            parts.append(stores.isEmpty ? "→ \(effects)" : "→ \(effects) \(stores.joined(separator: ", "))")
        }
        parts += graph.arrows(from: index, .route).map { arrow in
            (arrow.label.map { "◇ \($0) → " } ?? "◇ ") + GraphWords.vertex(arrow.to, graph)
        }
        parts += graph.arrows(from: index, .failure).map { arrow in
            "✗ " + (arrow.label.map { "\($0), then " } ?? "") + GraphWords.vertex(arrow.to, graph)
        }
        return parts
    }

    /// Wraps remarks after a head.
    private static func wrapped(_ parts: [String], head: String, rest: String) -> [String] {
        var lines: [String] = []
        var line = ""
        for part in parts {
            if !line.isEmpty, head.count + line.count + 2 + part.count > TextWrap.width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : "  ") + part
        }
        lines.append(line)
        return lines.enumerated().map { ($0 == 0 ? head : rest) + $1 }.map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    private static func callers(of branch: String, _ graph: GraphDescription) -> String {
        let targets = Set(graph.stages(in: branch).map { GraphDescription.Vertex.stage($0) })
        var names: [String] = []
        for arrow in graph.arrows where arrow.kind != .next && targets.contains(arrow.to) {
            if case .stage(let index) = arrow.from, !names.contains(graph.stages[index].name) {
                names.append(graph.stages[index].name)
            }
        }
        return names.isEmpty ? "" : " (from \(names.joined(separator: ", ")))"
    }
}

/// Names and texts shared by all pictures of a graph.
enum GraphWords {
    /// Returns a stage's name without its branch.
    static func shortName(_ stage: GraphDescription.Stage) -> String {
        guard let branch = stage.branch, stage.name.hasPrefix("\(branch)/") else { return stage.name }
        return String(stage.name.dropFirst(branch.count + 1))
    }

    /// Returns a stage's type if it differs from the name.
    static func otherType(_ stage: GraphDescription.Stage) -> String? {
        let name = self.shortName(stage)
        let isTold = name == stage.type || name.hasPrefix("\(stage.type)-")
        return isTold ? nil : stage.type
    }

    /// Returns the effects that do not follow from the stage's type.
    static func otherEffects(_ stage: GraphDescription.Stage) -> [String] {
        stage.effects.filter { $0 != stage.type }
    }

    /// Returns the lines of a stage's label: its name, and whatever of its type, condition and effects the name does not
    /// imply.
    static func label(_ stage: GraphDescription.Stage) -> [String] {
        let effects = self.otherEffects(stage).joined(separator: ", ")
        let more = [self.otherType(stage), stage.condition.map { "when \($0)" }, effects.isEmpty ? nil : effects]
        return [self.shortName(stage)] + more.compactMap(\.self)
    }

    /// Returns the name of a node.
    static func vertex(_ vertex: GraphDescription.Vertex, _ graph: GraphDescription) -> String {
        switch vertex {
        case .source: graph.source.type
        case .stage(let index): graph.stages[index].branch ?? graph.stages[index].name
        case .store(let name): name
        case .end(let word): word
        }
    }
}

extension String {
    /// Returns the text padded with spaces to a width in characters.
    package func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - self.count))
    }
}
