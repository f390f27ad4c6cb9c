public import StageKit

extension ValidateStage {
    /// The settings under `validate`.
    public struct Settings: Sendable {
        /// The rules by field, in the order in which they are checked.
        public var fields: [NamedSetting<Rules>]
        /// Conditions that every event must meet, checked after the rules of the fields.
        public var require: [ExpressionSettings] = []

        /// The settings' names and types in the file. A mapping under `require` has the rules of a field of that name.
        static let type = SettingType<Settings>(
            shape: .map(
                Rules.type.shape, minimum: 1,
                beside: [
                    SettingDescription(
                        name: "require", shape: .either([Self.conditions.shape, Rules.type.shape]),
                        summary: "An expression, or a list of expressions, that must be true.")
                ])
        ) { node, issues in
            guard let require = node["require"], require.pairs == nil, let entries = node.pairs else {
                return Self.rules(1).decode(node, &issues).map { Settings(fields: $0) }
            }
            let others = SettingNode(.mapping(entries.filter { $0.key != "require" }), at: node.position)
            let fields = Self.rules(0).decode(others, &issues)
            let outer = issues.context
            defer { issues.context = outer }
            issues.context = outer.isEmpty ? "require" : "\(outer): require"
            guard let conditions = Self.conditions.decode(require, &issues), let fields else { return nil }
            return Settings(fields: fields, require: conditions)
        }

        private static let conditions = SettingType<[ExpressionSettings]>.list(
            of: .expression, orSingle: true, minimum: 1)

        private static func rules(_ minimum: Int) -> SettingType<[NamedSetting<Rules>]> {
            .map(of: Rules.type, minimum: minimum)
        }
    }

    /// The rules of one field; `nil` for rules that the file does not set.
    public struct Rules: Sendable {
        /// The condition under which the field is required.
        public var requiredIf: ConditionSettings?
        /// Allowed values.
        public var oneOf: [String]?
        /// The pattern of the whole value.
        public var pattern: Pattern?
        /// Length limits.
        public var length: LengthRule?
        /// Bounds of a number.
        public var range: RangeRule?
        /// The maximum time ahead of the clock.
        public var notInFuture: Duration?

        /// The settings' names and types in the file, in the order in which they are checked.
        private static let schema = SettingsSchema(
            Rules(),
            [
                .optional(
                    "required_if", \.requiredIf, .optional(.condition),
                    "Condition under which an event must have the field."),
                .optional(
                    "one_of", \.oneOf, .optional(.list(of: .text, orSingle: true, minimum: 1)),
                    "Allowed values, compared byte by byte."),
                .optional(
                    "pattern", \.pattern, .optional(Pattern.type),
                    "Pattern that the whole value must match: letters, sets, groups, | and quantifiers."),
                .optional(
                    "length", \.length, .optional(LengthRule.type), "Limits of the length in characters or bytes."),
                .optional("range", \.range, .optional(RangeRule.type), "Bounds of a whole number."),
                .optional(
                    "not_in_future", \.notInFuture, .optional(.duration()),
                    "Maximum time ahead of this host's clock, for a time in milliseconds since 1970."),
            ],
            alternatives: [
                .atLeastOne("required_if", "one_of", "pattern", "length", "range", "not_in_future")
            ])

        static let type = SettingType.object(Rules.schema).map { (rules) throws(SettingRefusal) in
            let given: [Bool] = [
                rules.requiredIf != nil, rules.oneOf != nil, rules.pattern != nil, rules.length != nil,
                rules.range != nil, rules.notInFuture != nil,
            ]
            guard given.contains(true) else {
                let names = Rules.schema.descriptions.map(\.name).joined(separator: ", ")
                throw SettingRefusal("expected a rule (\(names))")
            }
            return rules
        }
    }

    /// Length limits of a value.
    public struct LengthRule: Sendable {
        /// The unit of length.
        public enum Unit: String, Sendable, CaseIterable {
            /// Unicode scalars, counted as the bytes that are not UTF-8 continuation bytes.
            case characters
            /// Bytes.
            case bytes
        }

        /// The minimum, or `nil` for none.
        public var min: Int?
        /// The maximum, or `nil` for none.
        public var max: Int?
        /// The unit of length.
        public var unit = Unit.characters

        static let type = SettingType.object(
            SettingsSchema(
                LengthRule(),
                [
                    .optional("min", \.min, .optional(.integer(0...Event.valueLimit)), "Minimum."),
                    .optional("max", \.max, .optional(.integer(0...Event.valueLimit)), "Maximum."),
                    .optional(
                        "unit", \.unit, .choice(of: Unit.allCases.map { ($0.rawValue, $0) }), default: "characters",
                        "characters counts Unicode scalars, bytes counts bytes."),
                ], alternatives: [.atLeastOne("min", "max")])
        ).map { (rule) throws(SettingRefusal) in
            try Limits.check(rule.min, rule.max)
            return rule
        }
    }

    /// Bounds of a number.
    public struct RangeRule: Sendable {
        /// The minimum, or `nil` for none.
        public var min: Int?
        /// The maximum, or `nil` for none.
        public var max: Int?

        static let type = SettingType.object(
            SettingsSchema(
                RangeRule(),
                [
                    .optional("min", \.min, .optional(.integer()), "Minimum."),
                    .optional("max", \.max, .optional(.integer()), "Maximum."),
                ], alternatives: [.atLeastOne("min", "max")])
        ).map { (rule) throws(SettingRefusal) in
            try Limits.check(rule.min, rule.max)
            return rule
        }
    }
}

/// A minimum and a maximum, one of which may be missing.
enum Limits {
    /// Throws if both are missing or the range is empty.
    static func check(_ least: Int?, _ most: Int?) throws(SettingRefusal) {
        guard least != nil || most != nil else { throw SettingRefusal("expected min, max or both") }
        if let least, let most, least > most { throw SettingRefusal("min \(least) is above max \(most)") }
    }

    /// `at least 1`, `at most 5`, `1 to 5`.
    static func describe(_ least: Int?, _ most: Int?) -> String {
        switch (least, most) {
        case (let least?, let most?): "\(least) to \(most)"
        case (let least?, nil): "at least \(least)"
        case (nil, let most?): "at most \(most)"
        case (nil, nil): "any"
        }
    }
}
