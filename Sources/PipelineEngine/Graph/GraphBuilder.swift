import ComponentKit
import CoreMetrics
import Logging
import StageKit

/// Creates a checked graph from a definition and reports all errors together.
struct GraphBuilder {
    /// The file's definition.
    let definition: PipelineDefinition
    /// The available types.
    let catalogue: Catalogue
    /// The stores of the file, already created.
    let stores: [String: any SnapshotStore]
    /// The services for stages.
    let services: PipelineServices

    /// Builds the graph. If issues were added, the graph must not be run.
    func build(_ issues: inout SettingIssues) -> StageGraph {
        for store in self.stores.values { store.prepareForGraph() }
        let names = GraphNames()
        let layout = GraphLayout(self.definition, catalogue: self.catalogue, &issues)
        var checks = GraphChecks(layout: layout)
        checks.check(&issues)
        if self.definition.lanes != nil { checks.checkLanes(&issues) }
        let stageNames = StageNames(layout, &issues).names
        var nodes: [Int: StageGraph.Node] = [:]
        var usedStores: Set<String> = []
        var warnings: [SettingIssue] = []
        var types: [String: [String: FieldType]] = [:]
        // The fields that each list's first stage can rely on: those of every path that leads to it.
        var scopes: [FieldScope?] = layout.lists.map { _ in nil }
        scopes[0] = FieldScope()
        if case .list(let list) = layout.sourceFailure { scopes[list] = FieldScope() }
        for index in layout.order {
            let list = layout.lists[index]
            var scope = scopes[index] ?? FieldScope(isIncomplete: true)
            for (offset, stage) in list.stages.enumerated() {
                let context = Context(
                    name: stageNames[index][offset], branch: list.branch,
                    arrows: layout.arrows(list: index, offset: offset), branches: layout.branches)
                let (node, setup) = self.node(stage, context, names, scope, &issues)
                nodes[list.start + offset] = node
                scope = setup?.scope ?? scope
                if let setup { warnings += TemplateCheck(stage, setup).warnings }
                if node == nil { scope.loseTrack() }
                let used = setup?.usedStores ?? []
                if let issue = checks.checkStores(used, of: stage, at: index, offset) { issues.append([issue]) }
                for store in used {
                    usedStores.insert(store)
                    if setup?.readStores.contains(store) ?? false { continue }
                    for field in scope.fields {
                        let (type, known) = (scope.type(of: field), types[store]?[field])
                        types[store, default: [:]][field] = known == nil || known == type ? type : .unknown
                    }
                }
                for target in layout.targets(of: stage) {
                    scopes[target] = scopes[target] ?? FieldScope()
                    scopes[target]?.formUnion(scope)
                }
                if let emitted = setup?.emittedScope {
                    // Events that do not meet the condition continue with their own fields.
                    if stage.declared.condition == nil {
                        scope = emitted
                        // In a failure branch, an event that has failed before continues after a stage that fails.
                        if index == 0 || stage.failure != .byDefault { checks.noteReplacement(at: index, offset) }
                    } else {
                        scope.formUnion(emitted)
                    }
                }
            }
        }
        let keyName = self.definition.stores.first.flatMap { self.stores[$0.name.text]?.keyField }
        return StageGraph(
            nodes: ContiguousArray(nodes.sorted { $0.key < $1.key }.map(\.value)),
            mainCount: layout.lists[0].stages.count, starts: layout.lists.map(\.start), names: names,
            keyField: keyName.flatMap { names.field($0) }, sourceFailure: layout.arrow(of: layout.sourceFailure),
            warnings: warnings + self.warnings(usedStores, nodes.values, isWhole: issues.all.isEmpty), fieldTypes: types
        )
    }

    /// The environment that a stage is created with, in addition to its settings.
    private struct Context {
        let name: String
        let branch: String?
        let arrows: StageGraph.Arrows
        let branches: [String: BranchID]
    }

    /// The stores that the file declares but that could not be created.
    private var brokenStores: Set<String> {
        Set(self.definition.stores.map(\.name.text)).subtracting(self.stores.keys)
    }

    /// Creates a stage; returns `nil` and adds the reasons to the issues if it cannot be created.
    private func node(
        _ stage: GraphLayout.Stage, _ context: Context, _ names: GraphNames, _ scope: FieldScope,
        _ issues: inout SettingIssues
    ) -> (StageGraph.Node?, StageSetup?) {
        let typeName = stage.declared.component.type
        guard let type = stage.type else {
            // An unknown type is not an error if a plugin that may define it could not be loaded.
            if !self.catalogue.isIncomplete {
                let hint = Nearest.hint(for: typeName.text, among: self.catalogue.stages.map(\.name))
                issues.add("unknown stage type \"\(typeName.text)\"\(hint)", at: typeName.position)
            }
            return (nil, nil)
        }
        let setup = StageSetup(
            pipeline: self.definition.name, stage: context.name, position: typeName.position,
            logger: self.services.logger, metrics: self.services.metrics,
            revocationHandler: self.services.revocationHandler, publisher: self.services.publisher, names: names,
            scope: scope, stores: self.stores, brokenStores: self.brokenStores, branches: context.branches,
            exits: stage.exits ?? StageExits(), clock: self.services.clock, isRehearsal: self.services.isRehearsal,
            progress: self.services.progress, hashReader: self.services.hashReader)
        setup.issues.context = "\(type.name): when"
        let condition = stage.declared.condition?.resolve(setup)
        setup.issues.context = ""
        let made = type.make(stage.declared.component.settings, setup)
        issues.append(setup.issues.all)
        if self.definition.lanes != nil, setup.dependsOnOtherKeys, !type.remembers {
            issues.add(
                "\(typeName.text): with these settings it acts on other keys than the event's, which may be in other "
                    + "lanes: remove lanes, or the stage", at: typeName.position)
        }
        let uses = StageGraph.Uses(
            branch: context.branch, condition: stage.declared.condition?.text, stores: setup.usedStores,
            writesStores: !setup.readStores.isSuperset(of: setup.usedStores), effects: setup.usedEffects,
            exitWords: stage.exits?.words ?? [], isPure: type.isPure, position: typeName.position)
        let node = made.map {
            StageGraph.Node(
                stage: $0, type: type, name: context.name, condition: condition, arrows: context.arrows, uses: uses,
                waits: type.waits && !setup.isWaitless)
        }
        return (node, setup)
    }

    /// Adds warnings for possible oversights. A store that no stage uses stays empty, but is not an error: the graph
    /// works without it, and an embedding program may fill it.
    private func warnings(
        _ usedStores: Set<String>, _ nodes: some Collection<StageGraph.Node>, isWhole: Bool
    ) -> [SettingIssue] {
        guard isWhole else { return [] }
        var warnings: [SettingIssue] = []
        if let lanes = self.definition.lanes, !nodes.contains(where: { $0.waits || $0.arrows.retry != nil }) {
            warnings.append(
                SettingIssue(
                    "lanes: no stage waits, so lanes have a cost but no benefit: remove them", at: lanes.position,
                    context: "lanes"))
        }
        return warnings
            + self.definition.stores.filter { !usedStores.contains($0.name.text) }.map {
                SettingIssue("stores: no stage uses \"\($0.name.text)\"", at: $0.name.position, context: "stores")
            }
    }
}
