public import StageKit

/// A value of a window's event: a function, and the field whose values it combines.
public struct Measure: Sendable {
    /// A function of the events in a window.
    public enum Function: String, Sendable, CaseIterable {
        /// The number of events.
        case count
        /// The sum of numbers.
        case sum
        /// The smallest value.
        case min
        /// The greatest value.
        case max
        /// The average of numbers.
        case avg
        /// The number of different values.
        case distinct
    }

    /// The function.
    public var function: Function
    /// The field, or `nil` for `count`.
    public var field: LocatedName?
    /// Whether events without the field are accepted.
    public var isOptional = false

    /// The functions of a field, with their documentation.
    private static let functions: [(Function, String)] = [
        (.sum, "Field of type int64, uint64 or double whose numbers are added."),
        (.min, "Field with a number or a time of which the smallest is kept."),
        (.max, "Field with a number or a time of which the greatest is kept."),
        (.avg, "Field of type int64, uint64 or double whose numbers are averaged."),
        (.distinct, "Field whose different values are counted."),
    ]

    private static let shape = SettingShape.either([
        .choice([Function.count.rawValue]),
        .oneName(
            Self.functions.map {
                SettingDescription(name: $0.rawValue, shape: .nonBlankText, isRequired: true, summary: $1)
            },
            beside: [
                SettingDescription(
                    name: "optional", shape: .boolean, defaultText: "false",
                    summary: "Accept events without the field: the value ignores them.")
            ]),
    ])

    /// The decoder: `count`, `{ max: celsius }`, `{ sum: bytes, optional: true }`.
    static let type = SettingType<Measure>(shape: Self.shape) { node, issues in
        guard let entries = node.pairs else {
            return SettingType<String>.choice([Function.count.rawValue]).decode(node, &issues).map { _ in
                Measure(function: .count)
            }
        }
        let known = Self.functions.map { $0.0.rawValue }
        var measure: Measure?
        var isOptional: Bool? = false
        var isValid = true
        for entry in entries {
            if entry.key == "optional" {
                isOptional = SettingType<Bool>.boolean.decode(entry.value, &issues)
            } else if known.contains(entry.key), let function = Function(rawValue: entry.key) {
                let field = SettingType<LocatedName>.name.decode(entry.value, &issues)
                if measure != nil { issues.add("expected one of \(known.joined(separator: ", "))", at: entry.position) }
                isValid = isValid && field != nil && measure == nil
                measure = Measure(function: function, field: field)
            } else {
                let hint = Nearest.hint(for: entry.key, among: known + ["optional"])
                issues.add("unknown setting \"\(entry.key)\"\(hint)", at: entry.position)
                isValid = false
            }
        }
        guard isValid, let isOptional else { return nil }
        guard var measure else {
            issues.add("expected count, or one of \(known.joined(separator: ", ")) with a field", at: node.position)
            return nil
        }
        measure.isOptional = isOptional
        return measure
    }
}
