import ComponentKit
import StageKit

/// A short text that is the same for the same parts of a pipeline file, whatever their layout and comments.
enum DefinitionDigest {
    /// Returns the digest of everything that determines the contents of the stores, except their limits
    /// (`StoreType.bounds`).
    static func ofStores(_ root: SettingNode, types: [StoreType]) -> String {
        var root = root
        guard let sections = root.entries else { return self.of(root, sections: []) }
        let bounds = Dictionary(types.map { ($0.name, $0.bounds) }, uniquingKeysWith: { first, _ in first })
        root.content = .mapping(
            sections.map { $0.key == "stores" ? self.without(bounds, $0) : $0 })
        return self.of(root, sections: ["stores", "stages", "branches"])
    }

    /// Returns the section of the stores without the settings in `bounds`, whose keys are the types of stores.
    private static func without(_ bounds: [String: Set<String>], _ section: SettingNode.Entry) -> SettingNode.Entry {
        self.mapping(section) { store in
            self.mapping(store) { component in
                var component = component
                let left = component.value.entries?.filter { bounds[component.key]?.contains($0.key) != true }
                if let left { component.value.content = .mapping(left) }
                return component
            }
        }
    }

    private static func mapping(
        _ entry: SettingNode.Entry, _ change: (SettingNode.Entry) -> SettingNode.Entry
    ) -> SettingNode.Entry {
        var entry = entry
        if let entries = entry.value.entries { entry.value.content = .mapping(entries.map(change)) }
        return entry
    }

    /// The digest of some sections of a file with environment variables inserted; the order of names matters.
    ///
    /// It detects an edited file and does not have to resist an attacker.
    static func of(_ root: SettingNode, sections: [String]) -> String {
        var hash = FNV1a()
        for name in sections {
            self.add(name, &hash)
            if let node = root[name] { self.add(node, &hash) }
        }
        return "v1 " + String(hash.value, radix: 16)
    }

    private static func add(_ node: SettingNode, _ hash: inout FNV1a) {
        switch node.content {
        case .null: self.add("null", &hash)
        case .scalar(let text, _):
            self.add("text", &hash)
            self.add(text, &hash)
        case .sequence(let nodes):
            self.add("list \(nodes.count)", &hash)
            for node in nodes { self.add(node, &hash) }
        case .mapping(let entries):
            self.add("mapping \(entries.count)", &hash)
            for entry in entries {
                self.add(entry.key, &hash)
                self.add(entry.value, &hash)
            }
        }
    }

    /// Adds a text and a terminator, so that two texts have a different digest from their concatenation.
    private static func add(_ text: String, _ hash: inout FNV1a) {
        hash.combine(text)
        hash.endPart()
    }
}
