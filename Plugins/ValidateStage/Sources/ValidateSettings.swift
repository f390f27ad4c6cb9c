public import StageKit

extension ValidateStage {
    /// What the YAML under `validate` says.
    public struct Settings: Sendable {
        /// The rules by field, in the order they are checked.
        public var fields: [NamedSetting<Rules>]

        /// How the file spells them.
        static let type = SettingType<[NamedSetting<Rules>]>.map(of: Rules.type, minimum: 1).map {
            Settings(fields: $0)
        }
    }

    /// The rules of one field; those the file does not give are nil.
    public struct Rules: Sendable {
        /// When the field must be there.
        public var requiredIf: ConditionSettings?
        /// The values it may have.
        public var oneOf: [String]?
        /// The pattern it must have.
        public var pattern: Pattern?
        /// How long it may be.
        public var length: LengthRule?
        /// The numbers it may be.
        public var range: RangeRule?
        /// How far ahead of the clock a time may be.
        public var notInFuture: Duration?

        /// How the file spells them, in the order they are checked.
        private static let schema = SettingsSchema(
            Rules(),
            [
                .optional(
                    "required_if", \.requiredIf, .optional(.condition),
                    "Values of other fields with which an event must have this one."),
                .optional(
                    "one_of", \.oneOf, .optional(.list(of: .text, orSingle: true, minimum: 1)),
                    "The values the field may have, byte for byte."),
                .optional(
                    "pattern", \.pattern, .optional(Pattern.type),
                    "A pattern that the whole value must have: letters, sets, groups, | and quantifiers."),
                .optional(
                    "length", \.length, .optional(LengthRule.type), "How many characters or bytes the value may have."),
                .optional("range", \.range, .optional(RangeRule.type), "The whole numbers the value may be."),
                .optional(
                    "not_in_future", \.notInFuture, .optional(.duration()),
                    "How far ahead of this machine's clock a time in milliseconds since 1970 may be."),
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

    /// How long a value may be.
    public struct LengthRule: Sendable {
        /// What is counted.
        public enum Unit: String, Sendable, CaseIterable {
            /// Unicode scalars; each byte that does not go on with a character counts as one.
            case characters
            /// Bytes.
            case bytes
        }

        /// The least, nil for none.
        public var min: Int?
        /// The most, nil for none.
        public var max: Int?
        /// What is counted.
        public var unit = Unit.characters

        static let type = SettingType.object(
            SettingsSchema(
                LengthRule(),
                [
                    .optional("min", \.min, .optional(.integer(0...Event.valueLimit)), "The least."),
                    .optional("max", \.max, .optional(.integer(0...Event.valueLimit)), "The most."),
                    .optional(
                        "unit", \.unit, .choice(of: Unit.allCases.map { ($0.rawValue, $0) }), default: "characters",
                        "characters counts Unicode scalars, bytes counts bytes."),
                ])
        ).map { (rule) throws(SettingRefusal) in
            try Limits.check(rule.min, rule.max)
            return rule
        }
    }

    /// The numbers a value may be.
    public struct RangeRule: Sendable {
        /// The least, nil for none.
        public var min: Int?
        /// The most, nil for none.
        public var max: Int?

        static let type = SettingType.object(
            SettingsSchema(
                RangeRule(),
                [
                    .optional("min", \.min, .optional(.integer()), "The least."),
                    .optional("max", \.max, .optional(.integer()), "The most."),
                ])
        ).map { (rule) throws(SettingRefusal) in
            try Limits.check(rule.min, rule.max)
            return rule
        }
    }
}

/// A least and a most, either of which may be missing.
enum Limits {
    /// Throws where both are missing or nothing is between them.
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
