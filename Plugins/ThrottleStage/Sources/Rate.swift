import StageKit

/// A number of events per unit of time: `100/s`, `5/m`, `1/h`.
public struct Rate: Sendable, Equatable {
    /// The maximum number of events per unit: one per microsecond if the unit is a second.
    public static let countLimit = 1_000_000

    /// The number of events per unit.
    public var count: Int
    /// The unit in nanoseconds.
    public var unit: UInt64

    /// Creates a rate; `count` is 1 to `countLimit`.
    public init(count: Int, unit: UInt64) {
        self.count = count
        self.unit = unit
    }

    /// The time between two events, in nanoseconds.
    var interval: UInt64 { self.unit / UInt64(self.count) }

    private static let units: [String: UInt64] = [
        "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
    ]

    /// The form in the file.
    static let type = SettingType<Rate>(
        shape: .form("a rate: 100/s, 5/m or 1/h", pattern: "^[+]?[0-9]+/[smh]$")
    ) { node, issues in
        guard case .scalar(let text, _) = node.content else {
            issues.add("expected a rate such as 100/s, found \(node.kindName)", at: node.position)
            return nil
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = Int(parts[0]), let unit = Rate.units[String(parts[1])] else {
            issues.add("expected a rate such as 100/s, 5/m or 1/h, found \"\(text)\"", at: node.position)
            return nil
        }
        guard (1...Rate.countLimit).contains(count) else {
            issues.add("\(text) is out of range: it must be from 1 to \(Rate.countLimit) events", at: node.position)
            return nil
        }
        return Rate(count: count, unit: unit)
    }
}
