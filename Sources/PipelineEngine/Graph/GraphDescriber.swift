import ComponentKit
import StageKit

/// Describes a graph that was built.
struct GraphDescriber {
    /// The file's definition.
    let definition: PipelineDefinition
    /// The graph built from it.
    let graph: StageGraph
    /// The created stores.
    let stores: [String: any SnapshotStore]
    /// The stream's name.
    let stream: String

    /// Returns the description of the graph.
    func describe() -> GraphDescription {
        var arrows: [GraphDescription.Arrow] = []
        if !self.graph.nodes.isEmpty { arrows.append(.init(.source, .stage(0), .next)) }
        if let target = self.graph.sourceFailure {
            arrows.append(.init(.source, Self.vertex(target), .failure, label: "delivered too often"))
        }
        for (index, node) in self.graph.nodes.enumerated() {
            let next = node.arrows.next
            if next != StageGraph.end, node.arrows.goesOn {
                let label = node.expands ? "each element" : nil
                arrows.append(.init(.stage(index), .stage(next), .next, label: label))
            }
            arrows += node.arrows.branches.enumerated().map { number, start in
                let words = node.uses.exitWords
                let label = words.indices.contains(number) ? words[number] : nil
                return .init(.stage(index), .stage(start), .route, label: label)
            }
            arrows += self.failures(of: node, at: index)
            arrows += node.uses.stores.map { .init(.stage(index), .store($0), .store) }
        }
        return GraphDescription(
            pipeline: self.definition.name,
            source: .init(type: self.definition.source?.type.text ?? "", stream: self.stream),
            stores: self.definition.stores.map { name, component in
                .init(name: name.text, type: component.type.text, keyField: self.stores[name.text]?.keyField ?? "")
            },
            stages: self.graph.nodes.map { node in
                .init(
                    name: node.name, type: node.type, branch: node.uses.branch, condition: node.uses.condition,
                    effects: node.uses.effects, isPure: node.uses.isPure, waits: node.waits)
            },
            arrows: arrows, secretFields: self.graph.names.secrets, fieldTypes: self.graph.names.typedFields)
    }

    /// The target of a failure's arrow.
    private static func vertex(_ arrow: Int) -> GraphDescription.Vertex {
        switch arrow {
        case StageGraph.end: .end("drop")
        case StageGraph.halt: .end("halt")
        default: .stage(arrow)
        }
    }

    private func failures(of node: StageGraph.Node, at index: Int) -> [GraphDescription.Arrow] {
        let target: GraphDescription.Vertex
        switch node.arrows.onFailure {
        case nil:
            // In a branch the event continues with the next stage in any case, so this is not an arrow of its own.
            if node.uses.branch != nil { return [] }
            target = .end("drop")
        case .some(let arrow): target = Self.vertex(arrow)
        }
        let label = node.arrows.retry.map { "after \($0.attempts) attempts" }
        return [.init(.stage(index), target, .failure, label: label)]
    }
}

extension StageGraph {
    /// The components that a stage used when it was created.
    struct Uses: Sendable {
        /// The branch of the stage, or `nil` on the main path.
        var branch: String?
        /// Its condition as in the file.
        var condition: String?
        /// The stores it changes or reads.
        var stores: [String]
        /// Whether it may change snapshots of one of them.
        var writesStores: Bool
        /// The effects it may have.
        var effects: [String]
        /// The labels of the cases that send events to each of its branches.
        var exitWords: [String]
        /// Whether it only reads and sets the event's own values.
        var isPure: Bool
        /// The position of its type in the file.
        var position: SettingPosition
    }
}
