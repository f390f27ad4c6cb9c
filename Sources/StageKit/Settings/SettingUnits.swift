extension SettingType where Value == Duration {
    /// A duration with its unit (`us`, `ms`, `s`, `m`, `h`, `d`), at least `minimum`.
    public static func duration(minimum: Duration = .zero) -> SettingType<Duration> {
        SettingType(shape: .duration(minimum: minimum)) { node, issues in
            guard case .scalar(let text, _) = node.content else {
                issues.add("expected a duration such as 250ms, found \(node.kindName)", at: node.position)
                return nil
            }
            guard let value = SettingUnits.duration(text) else {
                if SettingUnits.isBeyondNumbers(text) {
                    issues.add("\(text) is out of range: the duration is too long", at: node.position)
                    return nil
                }
                issues.add("expected a duration such as 250ms, 5s or 2m, found \"\(text)\"", at: node.position)
                return nil
            }
            guard value >= minimum else {
                issues.add("\(text) is too short: the minimum is \(SettingUnits.text(minimum))", at: node.position)
                return nil
            }
            return value
        }
    }
}

extension SettingType where Value == Int {
    /// A size in bytes with its unit (`B`, `KiB`, `MiB`, `GiB`), in a range.
    public static func byteSize(_ range: ClosedRange<Int>) -> SettingType<Int> {
        SettingType(shape: .byteSize(range)) { node, issues in
            guard case .scalar(let text, _) = node.content, let value = SettingUnits.byteSize(text) else {
                issues.add("expected a size such as 64KiB or 1MiB, found \(node.shown)", at: node.position)
                return nil
            }
            guard range.contains(value) else {
                issues.add("\(text) is out of range: \(SettingLimits.describe(range)) bytes", at: node.position)
                return nil
            }
            return value
        }
    }
}

/// Reads and writes numbers with units as they appear in the file.
public enum SettingUnits {
    private static let durationUnits: [(String, microseconds: Int64)] = [
        ("us", 1), ("ms", 1000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000),
    ]
    private static let sizeUnits: [(String, bytes: Int)] = [
        ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
    ]

    /// Parses `250ms`, `5s`, `-15m`. Returns `nil` for anything else, including a number without a unit and one that is
    /// too large.
    public static func duration(_ text: String) -> Duration? {
        guard let (number, unit) = self.split(text),
            let scale = self.durationUnits.first(where: { $0.0 == unit })
        else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: scale.microseconds)
        return overflow ? nil : .microseconds(product)
    }

    /// Parses `64KiB`. Returns `nil` for anything else.
    public static func byteSize(_ text: String) -> Int? {
        guard let (number, unit) = self.split(text), number >= 0,
            let scale = self.sizeUnits.first(where: { $0.0 == unit })
        else { return nil }
        let (product, overflow) = Int(number).multipliedReportingOverflow(by: scale.bytes)
        return overflow ? nil : product
    }

    /// Returns a duration in the largest unit that makes it a whole number: `250ms`, `5s`.
    public static func text(_ duration: Duration) -> String {
        let microseconds = duration.microseconds
        let unit = self.durationUnits.last { microseconds != 0 && microseconds % $0.microseconds == 0 }
        guard let unit else { return "\(microseconds)us" }
        return "\(microseconds / unit.microseconds)\(unit.0)"
    }

    /// Returns a size in the largest unit that makes it a whole number: `64KiB`, `1MiB`.
    public static func text(bytes: Int) -> String {
        let unit = self.sizeUnits.last { bytes != 0 && bytes % $0.bytes == 0 }
        guard let unit else { return "\(bytes)B" }
        return "\(bytes / unit.bytes)\(unit.0)"
    }

    /// Returns whether a text is an integer of any size: digits, with an optional `-`.
    static func isWholeNumber(_ text: String) -> Bool {
        if Int(text) != nil { return true }
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        return !digits.isEmpty && digits.allSatisfy { $0.isASCII && $0.isNumber }
    }

    /// Returns whether an invalid duration has the right form and only too large a number.
    fileprivate static func isBeyondNumbers(_ text: String) -> Bool {
        let (digits, unit) = self.parts(text)
        return self.isWholeNumber(digits) && self.durationUnits.contains { $0.0 == unit }
    }

    private static func split(_ text: String) -> (Int64, String)? {
        let (digits, unit) = self.parts(text)
        return Int64(digits).map { ($0, unit) }
    }

    private static func parts(_ text: String) -> (digits: String, unit: String) {
        let digits = text.prefix { $0 == "-" || $0.isASCII && $0.isNumber }
        return (String(digits), String(text.dropFirst(digits.count)))
    }
}

extension Duration {
    /// The whole microseconds, rounded towards zero. Saturates beyond 64 bits.
    public var microseconds: Int64 {
        let (seconds, attoseconds) = self.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        return product.addingReportingOverflow(attoseconds / 1_000_000_000_000).partialValue
    }

    /// The duration as seconds.
    public var seconds: Double {
        Double(self.components.seconds) + Double(self.components.attoseconds) * 1e-18
    }
}
