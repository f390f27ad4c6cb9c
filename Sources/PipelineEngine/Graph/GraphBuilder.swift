import CoreMetrics
import Logging
import StageKit

/// Makes a checked graph of a definition; all that is wrong with it is told at once.
struct GraphBuilder {
    /// What the file says.
    let definition: PipelineDefinition
    /// The types it may name.
    let catalogue: Catalogue
    /// The stores it declares, made already.
    let stores: [String: any SnapshotStore]
    /// What stages are made with.
    let services: PipelineServices

    /// Builds the graph. Where issues were added, the graph must not be run.
    func build(_ issues: inout SettingIssues) -> StageGraph {
        let names = GraphNames()
        let layout = BranchLayout(self.definition, &issues)
        var nodes: ContiguousArray<StageGraph.Node> = []
        var pureCount = 0
        var isPureSoFar = true
        var used: [String: Int] = [:]
        for entry in self.definition.stages {
            let place = Place(index: nodes.count, last: self.definition.stages.count - 1, branch: nil)
            guard let (node, isPure) = self.node(entry, place, layout, names, &used, &issues) else { continue }
            nodes.append(node)
            isPureSoFar = isPureSoFar && isPure
            if isPureSoFar { pureCount += 1 }
        }
        for branch in self.definition.branches {
            for (offset, entry) in branch.stages.enumerated() {
                let start = layout.starts[branch.name.text] ?? 0
                let place = Place(
                    index: start + offset, last: start + branch.stages.count - 1, branch: branch.name.text)
                guard let (node, _) = self.node(entry, place, layout, names, &used, &issues) else { continue }
                nodes.append(node)
            }
        }
        let keyName = self.definition.stores.first.flatMap { self.stores[$0.name.text]?.keyField }
        return StageGraph(
            nodes: nodes, pureCount: pureCount, names: names, keyField: keyName.flatMap { names.field($0) })
    }

    /// Where a stage stands: its index, the index of the last one in its list, and its branch.
    private struct Place {
        let index: Int
        let last: Int
        let branch: String?
    }

    private func node(
        _ entry: PipelineDefinition.StageEntry, _ place: Place, _ layout: BranchLayout, _ names: GraphNames,
        _ used: inout [String: Int], _ issues: inout SettingIssues
    ) -> (StageGraph.Node, isPure: Bool)? {
        let typeName = entry.component.type
        guard let type = self.catalogue.stages.first(where: { $0.name == typeName.text }) else {
            let hint = Nearest.hint(for: typeName.text, among: self.catalogue.stages.map(\.name))
            issues.add("unknown stage type \"\(typeName.text)\"\(hint)", at: typeName.mark)
            names.isIncomplete = true
            return nil
        }
        let name = Self.uniqueName(entry, in: place.branch, &used, &issues)
        let setup = StageSetup(
            pipeline: self.definition.name, stage: name, mark: typeName.mark,
            logger: self.services.logger, metrics: self.services.metrics,
            revocationHandler: self.services.revocationHandler, names: names, stores: self.stores,
            clock: self.services.clock)
        setup.issues.context = "\(type.name): when"
        let condition = entry.condition?.resolve(setup)
        setup.issues.context = ""
        let stage = type.make(entry.component.settings, setup)
        issues.append(setup.issues.all)
        guard let stage else {
            names.isIncomplete = true
            return nil
        }
        let next = place.index < place.last ? place.index + 1 : StageGraph.end
        let node = StageGraph.Node(
            stage: stage, type: type, name: name, condition: condition, next: next,
            onFailure: layout.target(of: entry, next: next, isInBranch: place.branch != nil),
            isInBranch: place.branch != nil,
            uses: StageGraph.Uses(
                branch: place.branch, condition: entry.condition?.text, stores: setup.usedStores,
                effects: setup.usedEffects, isPure: type.isPure))
        return (node, type.isPure)
    }

    /// The stage's name in metrics and journals: what the file says, else `type`, `type-2`, `branch/type` and so on.
    private static func uniqueName(
        _ entry: PipelineDefinition.StageEntry, in branch: String?, _ used: inout [String: Int],
        _ issues: inout SettingIssues
    ) -> String {
        let base = branch.map { "\($0)/\(entry.component.type.text)" } ?? entry.component.type.text
        if let given = entry.name {
            if used.updateValue(1, forKey: given.text) != nil {
                issues.add("the stage name \"\(given.text)\" is used already", at: given.mark)
            }
            return given.text
        }
        let count = used[base, default: 0] + 1
        used[base] = count
        return count == 1 ? base : "\(base)-\(count)"
    }
}
