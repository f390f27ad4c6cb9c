import ComponentKit
import StageKit

/// Checks that the rest of the file suits stages that keep state and add events.
struct StateChecks {
    /// The graph, which was created without errors.
    let graph: StageGraph
    /// The source.
    let source: any EventSource
    /// Whether the file declares a checkpoint.
    let hasCheckpoint: Bool

    /// Adds errors, and warnings about possible oversights.
    func check(_ issues: inout SettingIssues, warnings: inout [SettingIssue]) {
        for (index, node) in self.graph.nodes.enumerated() {
            if node.stage.stateful != nil { self.check(node, &issues, &warnings) }
            guard let emitter = node.stage.emitting else { continue }
            if !emitter.emitsInOrder, let writer = self.storeUser(after: index) {
                issues.add(
                    "\(writer.type): the events of \(node.type) cannot be used with a store: their ids are not in the "
                        + "order of the stream", at: writer.uses.position)
            }
            if node.arrows.next == StageGraph.end {
                warnings.append(
                    SettingIssue(
                        "\(node.type): no stage follows that would use its events", at: node.uses.position,
                        context: node.type))
            }
        }
    }

    private func check(
        _ node: StageGraph.Node, _ issues: inout SettingIssues, _ warnings: inout [SettingIssue]
    ) {
        if let obstacle = self.source.stateObstacle {
            issues.add("\(node.type): cannot be used \(obstacle)", at: node.uses.position)
        } else if !self.hasCheckpoint {
            warnings.append(
                SettingIssue(
                    "\(node.type): without the section checkpoint, a restart loses its state", at: node.uses.position,
                    context: node.type))
        } else if !self.source.startsAtCheckpoint {
            warnings.append(
                SettingIssue(
                    "\(node.type): the source does not start at the checkpoint (start: resume), so a restart loses its "
                        + "state", at: node.uses.position, context: node.type))
        }
    }

    /// Returns the first stage with a store that an event may reach after a node.
    private func storeUser(after index: Int) -> StageGraph.Node? {
        var reached = Set(self.graph.nodes[index].arrows.next >= 0 ? [self.graph.nodes[index].arrows.next] : [])
        var open = Array(reached)
        while let next = open.popLast() {
            for target in self.graph.nodes[next].arrows.targets where reached.insert(target).inserted {
                open.append(target)
            }
        }
        return reached.sorted().map { self.graph.nodes[$0] }.first { !$0.uses.stores.isEmpty }
    }
}
