import StageKit

/// A short text that is the same for the same parts of a pipeline file, whatever their layout and comments.
enum DefinitionDigest {
    /// The digest of all that decides what the stores hold.
    static func ofStores(_ root: SettingNode) -> String {
        self.of(root, sections: ["stores", "stages", "branches"])
    }

    /// The digest of some sections of a file, environment variables put in; the order of names within counts.
    ///
    /// FNV-1a of 64 bits (Fowler, Noll, Vo): it tells an edited file from the one before, and need not withstand anybody.
    static func of(_ root: SettingNode, sections: [String]) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for name in sections {
            self.add(name, &hash)
            if let node = root[name] { self.add(node, &hash) }
        }
        return "v1 " + String(hash, radix: 16)
    }

    private static func add(_ node: SettingNode, _ hash: inout UInt64) {
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

    /// Adds a text and its end, so that two texts are not the same as one.
    private static func add(_ text: String, _ hash: inout UInt64) {
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ 0x1FF) &* 0x100_0000_01B3
    }
}
