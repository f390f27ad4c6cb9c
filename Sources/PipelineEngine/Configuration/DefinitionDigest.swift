import ComponentKit
import StageKit

/// A short text that is the same for the same parts of a pipeline file, whatever their layout and comments.
enum DefinitionDigest {
    /// Returns the digest of everything that determines the contents of the stores, except their limits
    /// (`StoreType.bounds`): the stores, and the stages that write to them or lead to one that does.
    ///
    /// A stage that cannot lead to a store, such as a webhook after the last `upsert`, is not part of it, so a changed one
    /// does not empty the stores. Any change of another one does, whether or not it would lead to other snapshots.
    ///
    /// - Parameters:
    ///   - root: The whole file, with variables and overrides inserted.
    ///   - graph: The graph of that file, which was created without errors.
    ///   - types: The types of stores.
    static func ofStores(_ root: SettingNode, _ graph: StageGraph, types: [StoreType]) -> String {
        let feeding = graph.feedingStores
        let bounds = Dictionary(types.map { ($0.name, $0.bounds) }, uniquingKeysWith: { first, _ in first })
        var sections: [SettingNode.Pair] = []
        for section in root.pairs ?? [] {
            switch section.key {
            case "stores": sections.append(self.without(bounds, section))
            case "stages": sections.append(self.list(section, from: 0, in: feeding))
            case "branches":
                var number = 0
                sections.append(
                    self.mapping(section) { branch in
                        number += 1
                        return self.list(branch, from: graph.starts[number], in: feeding)
                    })
            case "source":
                guard let start = graph.sourceFailure, feeding.contains(start) else { continue }
                sections.append(section.replacing(section.value["on_failure"]))
            default: break
            }
        }
        let kept = SettingNode(.mapping(sections), at: root.position)
        return self.of(kept, sections: ["stores", "stages", "branches", "source"])
    }

    /// Returns the digest that the previous version of the program wrote for the same file, which contains all stages.
    static func previous(_ root: SettingNode, types: [StoreType]) -> String {
        let bounds = Dictionary(types.map { ($0.name, $0.bounds) }, uniquingKeysWith: { first, _ in first })
        let sections = (root.pairs ?? []).map { $0.key == "stores" ? self.without(bounds, $0) : $0 }
        let kept = SettingNode(.mapping(sections), at: root.position)
        return self.of(kept, sections: ["stores", "stages", "branches"], version: 1)
    }

    /// Returns a list of stages without those that do not lead to a store.
    ///
    /// - Parameters:
    ///   - list: The main path or a branch.
    ///   - start: The node of its first stage.
    ///   - feeding: The nodes that lead to a store.
    private static func list(
        _ list: SettingNode.Pair, from start: Int, in feeding: Set<Int>
    ) -> SettingNode.Pair {
        guard case .sequence(let stages) = list.value.content else { return list }
        var list = list
        list.value.content = .sequence(
            stages.enumerated().filter { feeding.contains(start + $0.offset) }.map(\.element))
        return list
    }

    /// Returns the section of the stores without the settings in `bounds`, whose keys are the types of stores.
    private static func without(_ bounds: [String: Set<String>], _ section: SettingNode.Pair) -> SettingNode.Pair {
        self.mapping(section) { store in
            self.mapping(store) { component in
                var component = component
                let left = component.value.pairs?.filter { bounds[component.key]?.contains($0.key) != true }
                if let left { component.value.content = .mapping(left) }
                return component
            }
        }
    }

    private static func mapping(
        _ pair: SettingNode.Pair, _ change: (SettingNode.Pair) -> SettingNode.Pair
    ) -> SettingNode.Pair {
        var pair = pair
        if let pairs = pair.value.pairs { pair.value.content = .mapping(pairs.map(change)) }
        return pair
    }

    /// The digest of some sections of a file with environment variables inserted; the order of names matters.
    ///
    /// It detects an edited file and does not have to resist an attacker.
    private static func of(_ root: SettingNode, sections: [String], version: Int = 2) -> String {
        var hash = FNV1a()
        for name in sections {
            self.add(name, &hash)
            if let node = root[name] { self.add(node, &hash) }
        }
        return "v\(version) " + String(hash.value, radix: 16)
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
        case .mapping(let pairs):
            self.add("mapping \(pairs.count)", &hash)
            for pair in pairs {
                self.add(pair.key, &hash)
                self.add(pair.value, &hash)
            }
        }
    }

    /// Adds a text and a terminator, so that two texts have a different digest from their concatenation.
    private static func add(_ text: String, _ hash: inout FNV1a) {
        hash.combine(text)
        hash.endPart()
    }
}

extension SettingNode.Pair {
    /// Returns the entry with another value, or with an empty one.
    fileprivate func replacing(_ value: SettingNode?) -> SettingNode.Pair {
        var pair = self
        pair.value = value ?? SettingNode(.null, at: pair.position)
        return pair
    }
}

extension StageGraph {
    /// The nodes that write to a store or from which an event can reach one that does.
    var feedingStores: Set<Int> {
        var feeding = Set(self.nodes.indices.filter { self.nodes[$0].uses.writesStores })
        var isComplete = feeding.isEmpty
        while !isComplete {
            isComplete = true
            // Most arrows lead to a later node, so one pass finds nearly all.
            for index in self.nodes.indices.reversed() where !feeding.contains(index) {
                guard self.nodes[index].arrows.targets.contains(where: feeding.contains) else { continue }
                feeding.insert(index)
                isComplete = false
            }
        }
        return feeding
    }
}
