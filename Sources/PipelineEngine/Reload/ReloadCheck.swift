import StageKit

/// Finds changes of a pipeline file that a running pipeline cannot make.
///
/// Stages and branches can change: lookups do not depend on them. Everything else cannot. Another source or server
/// would give the cursor another meaning; a store with another key, limit or type could not hold its content; an added
/// store would lack everything that was read before, and a removed one would continue to answer with its old content;
/// and parts outside of the engine read their sections once, when they start.
enum ReloadCheck {
    /// The sections that can change.
    static let changeable: Set = ["stages", "branches"]

    /// Returns every changed value in a section that cannot change, at its position in the new file.
    ///
    /// Both are whole files, with variables and overrides inserted. Values are never shown: one may be a secret.
    static func issues(from old: SettingNode, to new: SettingNode) -> [SettingIssue] {
        var issues: [SettingIssue] = []
        self.compare(Self.fixed(old), Self.fixed(new), [], &issues)
        return issues
    }

    private static func fixed(_ root: SettingNode) -> SettingNode {
        let pairs = (root.pairs ?? []).filter { !self.changeable.contains($0.key) }
        return SettingNode(.mapping(pairs), at: root.position)
    }

    private static func compare(
        _ old: SettingNode, _ new: SettingNode, _ path: [String], _ issues: inout [SettingIssue]
    ) {
        guard let before = old.pairs, let after = new.pairs else {
            if !old.hasSameContent(as: new) { issues.append(self.issue(path, "cannot change", at: new.position)) }
            return
        }
        for pair in after {
            if let known = old[pair.key] {
                self.compare(known, pair.value, path + [pair.key], &issues)
            } else {
                issues.append(self.issue(path + [pair.key], "cannot be added", at: pair.position))
            }
        }
        for pair in before where new[pair.key] == nil {
            issues.append(self.issue(path + [pair.key], "cannot be removed", at: new.position))
        }
    }

    private static func issue(_ path: [String], _ what: String, at position: SettingPosition) -> SettingIssue {
        let name = path.joined(separator: ": ")
        return SettingIssue(
            "\(name): \(what) while the pipeline runs: restart the worker (only stages and branches can be reloaded)",
            at: position)
    }
}

extension SettingNode {
    /// Whether both mean the same, independent of positions, quotes and the order of names.
    func hasSameContent(as other: SettingNode) -> Bool {
        switch (self.content, other.content) {
        case (.null, .null): true
        case (.scalar(let text, _), .scalar(let otherText, _)): text == otherText
        case (.sequence(let items), .sequence(let others)):
            items.count == others.count && zip(items, others).allSatisfy { $0.hasSameContent(as: $1) }
        case (.mapping(let pairs), .mapping(let others)):
            pairs.count == others.count
                && pairs.allSatisfy { pair in other[pair.key]?.hasSameContent(as: pair.value) == true }
        default: false
        }
    }
}
