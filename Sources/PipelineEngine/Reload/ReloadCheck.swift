import StageKit

/// Says what of a pipeline file cannot change while the pipeline runs.
///
/// The stages and branches can: they hold nothing that look-ups are answered from. All else cannot. Another source or
/// server would give the cursor another meaning; a store with another key, limit or type could not hold what it holds; a
/// store that is added would lack all that was read before, and one that is taken out would go on answering with what it
/// held; and parts outside the engine read their sections once, when they start.
enum ReloadCheck {
    /// The sections that can change.
    static let changeable: Set = ["stages", "branches"]

    /// Every value that is not what it was, in a section that cannot change, at its place in the new file.
    ///
    /// Both are whole files, with variables and overrides put in. Values are never shown: one may be a secret.
    static func issues(from old: SettingNode, to new: SettingNode) -> [SettingIssue] {
        var issues: [SettingIssue] = []
        self.compare(Self.fixed(old), Self.fixed(new), [], &issues)
        return issues
    }

    private static func fixed(_ root: SettingNode) -> SettingNode {
        let entries = (root.entries ?? []).filter { !self.changeable.contains($0.key) }
        return SettingNode(.mapping(entries), at: root.mark)
    }

    private static func compare(
        _ old: SettingNode, _ new: SettingNode, _ path: [String], _ issues: inout [SettingIssue]
    ) {
        guard let before = old.entries, let after = new.entries else {
            if !old.hasSameContent(as: new) { issues.append(self.issue(path, "cannot change", at: new.mark)) }
            return
        }
        for entry in after {
            if let known = old[entry.key] {
                self.compare(known, entry.value, path + [entry.key], &issues)
            } else {
                issues.append(self.issue(path + [entry.key], "cannot be added", at: entry.mark))
            }
        }
        for entry in before where new[entry.key] == nil {
            issues.append(self.issue(path + [entry.key], "cannot be taken out", at: new.mark))
        }
    }

    private static func issue(_ path: [String], _ what: String, at mark: SourceMark) -> SettingIssue {
        let name = path.joined(separator: ": ")
        return SettingIssue("\(name): \(what) while the pipeline runs: restart it (stages and branches can)", at: mark)
    }
}

extension SettingNode {
    /// Whether both say the same, wherever it stands; neither the order of names nor quotes matter.
    func hasSameContent(as other: SettingNode) -> Bool {
        switch (self.content, other.content) {
        case (.null, .null): true
        case (.scalar(let text, _), .scalar(let otherText, _)): text == otherText
        case (.sequence(let items), .sequence(let others)):
            items.count == others.count && zip(items, others).allSatisfy { $0.hasSameContent(as: $1) }
        case (.mapping(let entries), .mapping(let others)):
            entries.count == others.count
                && entries.allSatisfy { entry in other[entry.key]?.hasSameContent(as: entry.value) == true }
        default: false
        }
    }
}
