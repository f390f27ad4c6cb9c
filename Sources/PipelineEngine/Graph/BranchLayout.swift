import StageKit

/// Where each branch begins in the array of nodes, and whether the arrows between branches make sense.
struct BranchLayout {
    /// The index of each branch's first node, by name.
    let starts: [String: Int]

    /// Lays the branches out behind the main stages; unknown, doubly named and unreachable branches and cycles are issues.
    init(_ definition: PipelineDefinition, _ issues: inout SettingIssues) {
        var starts: [String: Int] = [:]
        var next = definition.stages.count
        for branch in definition.branches {
            starts[branch.name.text] = next
            next += branch.stages.count
        }
        self.starts = starts
        let all = definition.stages + definition.branches.flatMap(\.stages)
        for stage in all {
            guard let target = stage.onFailure, target.text != PipelineDefinition.dropWord else { continue }
            if starts[target.text] == nil {
                let hint = Nearest.hint(for: target.text, among: starts.keys.sorted() + [PipelineDefinition.dropWord])
                issues.add(
                    "\(stage.component.type.text): on_failure: no branch \"\(target.text)\"\(hint)", at: target.mark)
            }
        }
        let arrows = Dictionary(
            definition.branches.map { branch in
                (branch.name.text, Set(branch.stages.compactMap { $0.onFailure?.text }))
            }, uniquingKeysWith: { first, _ in first })
        var reached: Set<String> = []
        for stage in definition.stages {
            if let target = stage.onFailure { Self.walk(from: target.text, arrows, &reached) }
        }
        for branch in definition.branches {
            if !reached.contains(branch.name.text) {
                issues.add("branches: no stage's on_failure leads to \"\(branch.name.text)\"", at: branch.name.mark)
            }
            var beyond: Set<String> = []
            for target in arrows[branch.name.text] ?? [] { Self.walk(from: target, arrows, &beyond) }
            if beyond.contains(branch.name.text) {
                issues.add("branches: \"\(branch.name.text)\" leads back to itself", at: branch.name.mark)
            }
        }
    }

    private static func walk(from name: String, _ arrows: [String: Set<String>], _ reached: inout Set<String>) {
        var waiting = [name]
        while let name = waiting.popLast() {
            guard reached.insert(name).inserted else { continue }
            waiting += arrows[name] ?? []
        }
    }

    /// Where an event goes that failed at a stage.
    ///
    /// On the main way a failure is terminal unless the file says otherwise. In a branch the next stage has its turn: a
    /// log that cannot be written must not keep an eviction from being done.
    func target(of entry: PipelineDefinition.StageEntry, next: Int, isInBranch: Bool) -> Int {
        guard let target = entry.onFailure else { return isInBranch ? next : StageGraph.end }
        return self.starts[target.text] ?? StageGraph.end
    }
}
