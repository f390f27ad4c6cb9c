import StageKit

/// The lists of stages of a graph and the targets of each stage, before any stage is created.
struct GraphLayout {
    /// The main path, a branch of the file, or the one stage of an `on_failure: dead_letter`.
    struct List {
        /// The branch's name; `stages` for the main path.
        let name: LocatedName
        /// The branch's name in pictures, or `nil` for the main path.
        let branch: String?
        /// The prefix of the names of its stages.
        let prefix: String
        /// The index of its first node.
        let start: Int
        /// Its stages.
        var stages: [Stage]
    }

    /// A stage in a list.
    struct Stage {
        /// The stage's entry in the file.
        let declared: PipelineDefinition.DeclaredStage
        /// Its type, or `nil` if the catalogue has no such type.
        let type: StageType?
        /// Its exits, or `nil` if they are unknown.
        let exits: StageExits?
        /// The consequence of its last attempt.
        var failure = Failure.byDefault

        /// The name of the stage in messages.
        var typeName: String { self.declared.component.type.text }
    }

    /// The consequence of a failed event.
    enum Failure: Equatable {
        /// The default, if the file does not set it.
        case byDefault
        /// Processing of the event stops.
        case drop
        /// The run ends.
        case halt
        /// The event goes to the start of a list.
        case list(Int)
    }

    /// The type of the stage that is created for `on_failure: dead_letter`.
    static let deadLetterType = "dead_letter"

    /// All lists, the main path first, then the file's branches in its order.
    private(set) var lists: [List] = []
    /// The file's branches by name; a number is an index into `lists`.
    let branches: [String: BranchID]
    /// The consequence for events that fail at the source.
    private(set) var sourceFailure = Failure.byDefault

    /// Creates the layout of a definition; an `on_failure` with an unknown target is an issue.
    init(_ definition: PipelineDefinition, catalogue: Catalogue, _ issues: inout SettingIssues) {
        let numbered = definition.branches.enumerated().map { index, branch in
            (branch.name.text, BranchID(index: UInt16(truncatingIfNeeded: index + 1)))
        }
        self.branches = Dictionary(numbered, uniquingKeysWith: { first, _ in first })
        let main = LocatedName("stages", at: SettingPosition(line: 1, column: 1))
        self.add(main, branch: nil, prefix: "", definition.stages, catalogue)
        for branch in definition.branches {
            let name = branch.name.text
            self.add(branch.name, branch: name, prefix: "\(name)/", branch.stages, catalogue)
        }
        for list in self.lists.indices {
            for offset in self.lists[list].stages.indices {
                let stage = self.lists[list].stages[offset]
                guard let target = stage.declared.onFailure?.target else { continue }
                let prefix = self.lists[list].prefix + (stage.declared.name?.text ?? stage.typeName) + "/"
                self.lists[list].stages[offset].failure = self.failure(
                    target, of: stage.typeName, prefix, catalogue, &issues)
            }
        }
        if let target = definition.sourceFailure {
            self.sourceFailure = self.failure(target, of: "source", "source/", catalogue, &issues)
        }
    }

    private mutating func add(
        _ name: LocatedName, branch: String?, prefix: String, _ declaredStages: [PipelineDefinition.DeclaredStage],
        _ catalogue: Catalogue
    ) {
        let start = (self.lists.last?.start ?? 0) + (self.lists.last?.stages.count ?? 0)
        let stages = declaredStages.map { declared in
            let type = catalogue.stages.first { $0.name == declared.component.type.text }
            return Stage(declared: declared, type: type, exits: type.flatMap { $0.exits(declared.component.settings) })
        }
        self.lists.append(List(name: name, branch: branch, prefix: prefix, start: start, stages: stages))
    }

    /// Returns the target of failed events of a stage, or of the source; `dead_letter` adds a list of its own.
    private mutating func failure(
        _ target: FailureRule.Target, of what: String, _ prefix: String, _ catalogue: Catalogue,
        _ issues: inout SettingIssues
    ) -> Failure {
        switch target {
        case .drop: return .drop
        case .halt: return .halt
        case .branch(let name):
            if let branch = self.branches[name.text] { return .list(Int(branch.index)) }
            let known = self.branches.keys.sorted() + FailureRule.words
            issues.add(
                "\(what): on_failure: no branch \"\(name.text)\"\(Nearest.hint(for: name.text, among: known))",
                at: name.position)
            return .drop
        case .deadLetter(let settings, let position):
            let type = LocatedName(Self.deadLetterType, at: position)
            guard catalogue.stages.contains(where: { $0.name == type.text }) else {
                issues.add("\(what): on_failure: this worker has no stage type \"\(type.text)\"", at: position)
                return .drop
            }
            let component = PipelineDefinition.Component(type: type, settings: settings)
            self.add(
                type, branch: prefix + type.text, prefix: prefix,
                [PipelineDefinition.DeclaredStage(component: component)],
                catalogue)
            return .list(self.lists.count - 1)
        }
    }

    /// The lists that a stage leads to, except its own.
    func targets(of stage: Stage) -> [Int] {
        var targets = (stage.exits?.branches ?? []).compactMap { self.branches[$0.text].map { Int($0.index) } }
        if case .list(let list) = stage.failure { targets.append(list) }
        return targets
    }

    /// Returns the lists that a list leads to; the main path includes the targets of the source.
    func targets(of list: Int) -> Set<Int> {
        var targets = Set(self.lists[list].stages.flatMap { self.targets(of: $0) })
        if list == 0, case .list(let target) = self.sourceFailure { targets.insert(target) }
        return targets
    }

    /// The lists in an order in which each one comes after all that lead to it; lists on a cycle come last.
    var order: [Int] {
        var incoming = Array(repeating: 0, count: self.lists.count)
        for list in self.lists.indices {
            for target in self.targets(of: list) { incoming[target] += 1 }
        }
        var order = self.lists.indices.filter { incoming[$0] == 0 }
        var next = 0
        while next < order.count {
            for target in self.targets(of: order[next]).sorted() {
                incoming[target] -= 1
                if incoming[target] == 0 { order.append(target) }
            }
            next += 1
        }
        return order + self.lists.indices.filter { incoming[$0] > 0 }
    }

    /// The target of a failure as the index of a node, or `nil` for the default.
    func arrow(of failure: Failure) -> Int? {
        switch failure {
        case .byDefault: nil
        case .drop: StageGraph.end
        case .halt: StageGraph.halt
        case .list(let list): self.lists[list].start
        }
    }

    /// The targets of a stage as indices of nodes.
    func arrows(list: Int, offset: Int) -> StageGraph.Arrows {
        let stage = self.lists[list].stages[offset]
        let isLast = offset == self.lists[list].stages.count - 1
        return StageGraph.Arrows(
            next: isLast ? StageGraph.end : self.lists[list].start + offset + 1,
            onFailure: self.arrow(of: stage.failure),
            retry: stage.declared.onFailure?.retry,
            branches: (stage.exits?.branches ?? []).compactMap { name in
                self.branches[name.text].map { self.lists[Int($0.index)].start }
            }, goesOn: stage.exits?.goesOn != false || stage.declared.condition != nil)
    }
}
