import StageKit

/// A value with its position, so that problems can be reported there.
struct Located<Value: Sendable>: Sendable {
    /// The value.
    var value: Value
    /// Its position.
    var position: SettingPosition

    /// Creates a value with its position; `0:0` means that it was not in the file.
    init(_ value: Value, at position: SettingPosition = SettingPosition(line: 0, column: 0)) {
        self.value = value
        self.position = position
    }
}

extension SettingType {
    /// The same value with its position.
    var located: SettingType<Located<Value>> {
        SettingType<Located<Value>>(shape: self.shape) { node, issues in
            self.decode(node, &issues).map { Located($0, at: node.position) }
        }
    }

    /// The same value, or `nil` if the file does not have it; unlike for `optional`, an empty value is an error.
    var present: SettingType<Value?> {
        SettingType<Value?>(shape: self.shape) { node, issues in self.decode(node, &issues).map { .some($0) } }
    }

    /// A list of at most `limit` items; a longer one is refused at the position of the first excess item.
    func list(minimum: Int = 0, limit: Int, of what: String) -> SettingType<[Value]> {
        let list = SettingType<[Value]>.list(of: self, minimum: minimum)
        return SettingType<[Value]>(shape: list.shape) { node, issues in
            if case .sequence(let items) = node.content, items.count > limit {
                issues.add("too many \(what): \(items.count), the maximum is \(limit)", at: items[limit].position)
                return nil
            }
            return list.decode(node, &issues)
        }
    }
}
