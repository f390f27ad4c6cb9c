import StageKit

/// The names of a graph's stages in metrics and journals: the name in the file, otherwise `type`, `type-2`,
/// `branch/type` and so on.
struct StageNames {
    /// The names, by list and index.
    let names: [[String]]

    /// Names all stages; a duplicate name is an issue.
    init(_ layout: GraphLayout, _ issues: inout SettingIssues) {
        var used: Set<String> = []
        for stage in layout.lists.flatMap(\.stages) {
            guard let given = stage.declared.name, !used.insert(given.text).inserted else { continue }
            issues.add("the stage name \"\(given.text)\" is already used", at: given.position)
        }
        var counts: [String: Int] = [:]
        self.names = layout.lists.map { list in
            list.stages.map { stage in
                if let given = stage.declared.name { return given.text }
                let base = list.prefix + stage.typeName
                var name = ""
                repeat {
                    let count = counts[base, default: 0] + 1
                    counts[base] = count
                    name = count == 1 ? base : "\(base)-\(count)"
                } while !used.insert(name).inserted
                return name
            }
        }
    }
}
