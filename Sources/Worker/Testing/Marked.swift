import StageKit

/// A value with the place where it stands, so that what comes of it can be told there.
struct Marked<Value: Sendable>: Sendable {
    /// The value.
    var value: Value
    /// Where it stands.
    var mark: SourceMark

    /// Makes a value with its place; `0:0` stands for one that was not in the file.
    init(_ value: Value, at mark: SourceMark = SourceMark(line: 0, column: 0)) {
        self.value = value
        self.mark = mark
    }
}

extension SettingType {
    /// The same value with its place.
    var marked: SettingType<Marked<Value>> {
        SettingType<Marked<Value>>(shape: self.shape) { node, issues in
            self.decode(node, &issues).map { Marked($0, at: node.mark) }
        }
    }

    /// The same value, nil where the file does not have it; unlike `optional`, nothing at all is a mistake.
    var present: SettingType<Value?> {
        SettingType<Value?>(shape: self.shape) { node, issues in self.decode(node, &issues).map { .some($0) } }
    }

    /// A list of at most `limit`; a longer one is refused where the first one too many stands.
    func list(minimum: Int = 0, limit: Int, of what: String) -> SettingType<[Value]> {
        let list = SettingType<[Value]>.list(of: self, minimum: minimum)
        return SettingType<[Value]>(shape: list.shape) { node, issues in
            if case .sequence(let items) = node.content, items.count > limit {
                issues.add("\(items.count) \(what) are too many: at most \(limit)", at: items[limit].mark)
                return nil
            }
            return list.decode(node, &issues)
        }
    }
}
