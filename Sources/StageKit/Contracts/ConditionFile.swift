extension SettingType where Value == ConditionSettings {
    /// An expression in the Common Expression Language, such as `status == 'revoked' && amount > 100`; or field names
    /// with their requirements, all of which must hold:
    ///
    /// - `{ status: revoked }`, or `{ status: [active, revoked] }` for one of several values
    /// - `{ user_id: { exists: false } }`
    /// - `{ amount: { at_least: 10, below: 100 } }`, also `at_most` and `above`; for fields decoded as `int64`
    /// - `{ any: [ { status: revoked }, { amount: { above: 100 } } ] }`, `{ all: [...] }`, `{ not: { status: active }
    ///   }`
    public static var condition: SettingType<ConditionSettings> {
        SettingType(shape: .reference(ConditionSettings.shapeName)) { node, issues in
            ConditionSettings(node, &issues)
        }
    }
}

extension ConditionSettings {
    /// The name of the condition's shape in references, which it needs because it contains itself.
    package static let shapeName = "condition"
    /// The keys of a condition: field names, `any`, `all` and `not`.
    package static let shape = SettingShape.either([
        ExpressionSettings.shape,
        .map(
            .either([values.shape, FieldTests.type.shape]), minimum: 1,
            beside: [
                SettingDescription(name: "any", shape: list.shape, summary: "One of these conditions must hold."),
                SettingDescription(name: "all", shape: list.shape, summary: "All of these conditions must hold."),
                SettingDescription(name: "not", shape: .reference(shapeName), summary: "This condition must not hold."),
            ]),
    ])

    /// The condition in one line: `status: revoked, region: [eu, us]`.
    public var text: String {
        func list(_ conditions: [ConditionSettings]) -> String {
            "[\(conditions.map { "{ \($0.text) }" }.joined(separator: ", "))]"
        }
        return self.parts.map { part in
            switch part {
            case .equals(let name, let values):
                "\(name.text): \(values.count == 1 ? values[0] : "[\(values.joined(separator: ", "))]")"
            case .field(let name, let tests): "\(name.text): { \(tests.text) }"
            case .any(let conditions): "any: \(list(conditions))"
            case .all(let conditions): "all: \(list(conditions))"
            case .not(let condition): "not: { \(condition.text) }"
            case .expression(let expression): expression.line
            }
        }.joined(separator: ", ")
    }

    private static let values = SettingType<[String]>.list(of: .text, orSingle: true, minimum: 1)
    private static let list = SettingType<[ConditionSettings]>.list(of: .condition, minimum: 1)

    /// Decodes a condition; errors go to the issues.
    init?(_ node: SettingNode, _ issues: inout SettingIssues) {
        if case .scalar = node.content {
            guard let expression = ExpressionSettings(node, &issues) else { return nil }
            self.parts = [.expression(expression)]
            return
        }
        guard let pairs = node.pairs, !pairs.isEmpty else {
            let found = node.pairs == nil ? "found \(node.kindName)" : "found none"
            issues.add("expected an expression, or names with values, \(found)", at: node.position)
            return nil
        }
        let outer = issues.context
        defer { issues.context = outer }
        self.parts = []
        for pair in pairs {
            issues.context = outer.isEmpty ? pair.key : "\(outer): \(pair.key)"
            if let part = Self.part(pair, &issues) { self.parts.append(part) }
        }
        if self.parts.count < pairs.count { return nil }
    }

    private static func part(_ pair: SettingNode.Pair, _ issues: inout SettingIssues) -> Part? {
        switch pair.key {
        case "any": return self.list.decode(pair.value, &issues).map { .any($0) }
        case "all": return self.list.decode(pair.value, &issues).map { .all($0) }
        case "not": return SettingType.condition.decode(pair.value, &issues).map { .not($0) }
        default:
            let name = LocatedName(pair.key, at: pair.position)
            if pair.value.pairs != nil {
                return FieldTests.type.decode(pair.value, &issues).map { .field(name, $0) }
            }
            return self.values.decode(pair.value, &issues).map { .equals(name, $0) }
        }
    }
}

/// Tests of a field other than a list of values.
package struct FieldTests: Sendable {
    /// Whether the event must have the field.
    package var exists: Bool?
    /// The minimum.
    var atLeast: Int?
    /// The maximum.
    var atMost: Int?
    /// The exclusive lower bound.
    var above: Int?
    /// The exclusive upper bound.
    var below: Int?

    /// Whether the number is tested.
    var hasBounds: Bool { [self.atLeast, self.atMost, self.above, self.below].contains { $0 != nil } }

    /// The range that meets all bounds, or `nil` if there are no bounds or no number meets them.
    package var numbers: ClosedRange<Int64>? {
        guard self.hasBounds, self.above != .max, self.below != .min else { return nil }
        let low = max(self.atLeast ?? .min, self.above.map { $0 + 1 } ?? .min)
        let high = min(self.atMost ?? .max, self.below.map { $0 - 1 } ?? .max)
        return low <= high ? Int64(low)...Int64(high) : nil
    }

    /// The tests in one line: `at_least: 1, below: 10`.
    var text: String {
        let exists = self.exists.map { "exists: \($0)" }
        let bounds = [
            ("at_least", self.atLeast), ("at_most", self.atMost), ("above", self.above), ("below", self.below),
        ]
        return ([exists] + bounds.map { name, bound in bound.map { "\(name): \($0)" } }).compactMap(\.self)
            .joined(separator: ", ")
    }

    /// The decoder.
    static let type = SettingType.object(
        SettingsSchema(
            FieldTests(),
            [
                .optional("exists", \.exists, .optional(.boolean), "Whether the event must have the field."),
                .optional("at_least", \.atLeast, .optional(.integer()), "Minimum of the number."),
                .optional("at_most", \.atMost, .optional(.integer()), "Maximum of the number."),
                .optional("above", \.above, .optional(.integer()), "Exclusive lower bound of the number."),
                .optional("below", \.below, .optional(.integer()), "Exclusive upper bound of the number."),
            ])
    ).map { (tests) throws(SettingRefusal) in
        guard tests.exists != nil || tests.hasBounds else {
            throw SettingRefusal("expected a test (exists, at_least, at_most, above, below), found none")
        }
        if tests.exists == false, tests.hasBounds {
            throw SettingRefusal("exists: false cannot be combined with bounds of a number")
        }
        if tests.hasBounds, tests.numbers == nil { throw SettingRefusal("no number is within these bounds") }
        return tests
    }
}
