import StageKit

extension SettingNode {
    /// Puts the value at the path and creates missing mappings. The value gets the position of the value it replaces,
    /// or of its parent if it is new.
    ///
    /// - Parameter place: The names that lead to this node, for messages.
    /// - Throws: The problem with the nearest name if the path does not exist; nothing has changed then.
    mutating func put(
        _ value: SettingNode, at path: ArraySlice<String>, in place: [String] = []
    ) throws(SettingRefusal) {
        guard let name = path.first else {
            self = value.moved(to: self.position)
            return
        }
        switch self.content {
        case .mapping(var pairs):
            if let index = pairs.firstIndex(where: { $0.key == name }) {
                try pairs[index].value.put(value, at: path.dropFirst(), in: place + [name])
            } else {
                var added = SettingNode(.null, at: self.position)
                try added.put(value, at: path.dropFirst(), in: place + [name])
                pairs.append(Pair(key: name, position: self.position, value: added))
            }
            self.content = .mapping(pairs)
        case .sequence(var items):
            let (index, rest) = try Self.choose(path, of: &items, in: place)
            try items[index].put(value, at: rest, in: place + [name])
            self.content = .sequence(items)
        case .null:
            var added = SettingNode(.null, at: self.position)
            try added.put(value, at: path.dropFirst(), in: place + [name])
            self.content = .mapping([Pair(key: name, position: self.position, value: added)])
        case .scalar:
            throw SettingRefusal(
                "\(Self.words(place)) is text and has no \"\(name)\": set \(Self.words(place)) itself")
        }
    }

    /// Returns the item of a list that a path's first name refers to, and the rest of the path within it.
    private static func choose(
        _ path: ArraySlice<String>, of items: inout [SettingNode], in place: [String]
    ) throws(SettingRefusal) -> (index: Int, rest: ArraySlice<String>) {
        let name = path.first ?? ""
        let isStages = place == ["stages"] || place.count == 2 && place[0] == "branches"
        if let index = Int(name) {
            guard items.indices.contains(index) else {
                throw SettingRefusal(
                    items.isEmpty
                        ? "\(self.words(place)) is an empty list"
                        : "\(self.words(place)) has no item \(index): the items are 0 to \(items.count - 1)")
            }
            return (index, isStages ? items[index].openStage(for: path.dropFirst()) : path.dropFirst())
        }
        guard isStages else {
            let range = items.isEmpty ? "it is empty" : "0 to \(items.count - 1)"
            throw SettingRefusal("\(self.words(place)) is a list: use the number of an item (\(range))")
        }
        let names = items.map(\.stageNames)
        let named = items.indices.filter { names[$0].name == name }
        let found = named.isEmpty ? items.indices.filter { names[$0].type == name } : named
        guard let index = found.first else {
            let known = names.flatMap { [$0.name, $0.type].compactMap(\.self) }
            throw SettingRefusal("\(self.words(place)) has no \"\(name)\"\(Nearest.hint(for: name, among: known))")
        }
        guard found.count == 1 else {
            let paths = found.map { (place + ["\($0)"]).joined(separator: ".") }.joined(separator: ", ")
            throw SettingRefusal("\(self.words(place)) has \(found.count) stages \"\(name)\": use one of \(paths)")
        }
        return (index, items[index].openStage(for: path.dropFirst()))
    }

    /// The name and type of a stage in a list, or `nil` if it is not a stage.
    private var stageNames: (name: String?, type: String?) {
        if case .scalar(let type, _) = self.content { return (nil, type) }
        let words = PipelineDefinition.stageWords.map(\.name)
        guard let pairs = self.pairs else { return (nil, nil) }
        var name: String?
        if case .scalar(let text, _)? = self["name"]?.content { name = text }
        return (name, pairs.first { !words.contains($0.key) }?.key)
    }

    /// The path within a stage: unless it begins with a key next to the type, it leads to a setting.
    private mutating func openStage(for path: ArraySlice<String>) -> ArraySlice<String> {
        guard let first = path.first, let type = self.stageNames.type else { return path }
        if case .scalar = self.content {
            let nothing = SettingNode(.null, at: self.position)
            self.content = .mapping([Pair(key: type, position: self.position, value: nothing)])
        }
        let isBeside = first == type || PipelineDefinition.stageWords.contains { $0.name == first }
        return isBeside ? path : [type] + path
    }

    private static func words(_ place: [String]) -> String {
        place.isEmpty ? "the file" : place.joined(separator: ".")
    }
}
