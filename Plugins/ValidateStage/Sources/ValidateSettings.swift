public import StageKit

extension ValidateStage {
    /// What the YAML under `validate` says.
    public struct Settings: Sendable {
        /// The rules by field, in the order they are checked.
        public var fields: [NamedSetting<[Rule]>]

        /// How the file spells them.
        static let type = SettingType<[NamedSetting<[Rule]>]>.map(of: Rule.list, minimum: 1).map {
            Settings(fields: $0)
        }
    }

    /// What a value must keep to.
    public enum Rule: Sendable, Equatable {
        /// It is exactly one of these.
        case oneOf([String])

        /// The rules of one field as the file has them, each under its own name.
        static let list = SettingType<RuleSettings>.object(RuleSettings.schema).map {
            (settings) throws(SettingRefusal) in
            let rules = settings.rules
            if rules.isEmpty { throw SettingRefusal("expected a rule (one_of)") }
            return rules
        }
    }

    /// The names of the rules in the file; a new rule is a new name here and a new case of `Rule`.
    struct RuleSettings: Sendable {
        /// The words of `one_of`, nil where the rule is not given.
        var oneOf: [String]?

        /// The rules that are given, in the order they are checked.
        var rules: [Rule] {
            [self.oneOf.map { .oneOf($0) }].compactMap(\.self)
        }

        /// How the file spells them.
        static let schema = SettingsSchema(
            RuleSettings(),
            [
                .optional(
                    "one_of", \.oneOf, .optional(.list(of: .text, orSingle: true, minimum: 1)),
                    "The values the field may have, byte for byte.")
            ])
    }
}
