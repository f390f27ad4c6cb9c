import StageKit
import YAML

/// One value given beside the file: `source.redis_stream.read_count=1024`.
public struct Override: Sendable, Equatable {
    /// The names that lead to the value; a number reaches into a list, from 0.
    public var path: [String]
    /// The value as YAML text.
    public var value: String

    /// Reads `path=value`; nil where there is no path or no `=`.
    public init?(_ text: String) {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        let path = text[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard path.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.path = path
        self.value = String(text[text.index(after: equals)...])
    }
}

extension SettingNode {
    /// Puts the value at the path, making mappings on the way where there is nothing yet; false where the path leads
    /// through text or beyond a list. The value stands where what it replaces stood, a new one where it is put in.
    mutating func put(_ value: SettingNode, at path: ArraySlice<String>) -> Bool {
        guard let name = path.first else {
            self = value.moved(to: self.mark)
            return true
        }
        switch self.content {
        case .mapping(var entries):
            if let index = entries.firstIndex(where: { $0.key == name }) {
                guard entries[index].value.put(value, at: path.dropFirst()) else { return false }
            } else {
                var added = SettingNode(.null, at: self.mark)
                guard added.put(value, at: path.dropFirst()) else { return false }
                entries.append(Entry(key: name, mark: self.mark, value: added))
            }
            self.content = .mapping(entries)
            return true
        case .sequence(var items):
            guard let index = Int(name), items.indices.contains(index) else { return false }
            guard items[index].put(value, at: path.dropFirst()) else { return false }
            self.content = .sequence(items)
            return true
        case .null:
            var added = SettingNode(.null, at: self.mark)
            guard added.put(value, at: path.dropFirst()) else { return false }
            self.content = .mapping([Entry(key: name, mark: self.mark, value: added)])
            return true
        case .scalar:
            return false
        }
    }
}
