public import StageKit

extension LookupStage {
    /// The handling of an event for which there are no values.
    public enum Missing: Sendable {
        /// The event continues without the fields.
        case pass
        /// The event fails.
        case fail
        /// The event continues with the values in `defaults`.
        case useDefaults
    }

    /// The handling of an event that looks in a store which may still lack earlier entries.
    public enum Stale: Sendable {
        /// The event fails.
        case fail
        /// The event continues with the content of the store.
        case use
    }

    /// The origin of the values.
    public enum Origin: Sendable {
        /// In the snapshot of a store under the value of a field.
        case store(LocatedName, key: LocatedName)
        /// In the Redis hash with this key.
        case hash(Template)
    }

    /// The settings under `lookup`.
    public struct Settings: Sendable {
        /// The origin of the values.
        public var origin: Origin
        /// The event's fields to set.
        public var fields: [NamedSetting<Field>]
        /// The handling of a missing value.
        public var missing: Missing
        /// The handling of a stale store.
        public var stale: Stale
        /// The values of fields that have none, by the event's field.
        public var defaults: [NamedSetting<LocatedName>]
    }

    /// The settings of one field.
    public struct Field: Sendable {
        /// The name in the snapshot or the hash, or `nil` for the name of the event's field.
        public var name: LocatedName?
        /// The type of the value, or `nil` for text, or a number that the store keeps as one.
        public var typeName: FieldTypeName?
        /// The form in which times and durations are written, or `nil` for the usual one.
        public var format: TimeForm?
        /// Whether the value must not be shown in logs and to observers.
        public var isSecret = false

        /// The type of the value, or `nil` for text, or a number that the store keeps as one.
        var type: FieldType? { self.typeName?.type(self.format) }

        static let schema = SettingsSchema(
            Field(),
            [
                .optional(
                    "field", \.name, .optional(.name), default: "the same name",
                    "Name of the field in the snapshot or the hash."),
                .optional(
                    "type", \.typeName, .optional(.fieldTypeName),
                    "Type of the value, as in decode. Without it, the value is text, or the number that a memory store "
                        + "keeps for a field of type int64."),
                .optional(
                    "format", \.format, .optional(.timeForm),
                    "Form of a timestamp or a duration, as in decode."),
                .optional(
                    "secret", \.isSecret, .boolean, default: "false",
                    "Whether [secret] replaces the value in logs, error messages, the journal and other views."),
            ])

        /// The decoder: the name in the snapshot or the hash alone, or a mapping.
        static let settings = SettingType<Field>(
            shape: .either([.nonBlankText, .object(Self.schema.descriptions)])
        ) { node, issues in
            if case .scalar = node.content {
                return SettingType<LocatedName>.name.decode(node, &issues).map { Field(name: $0) }
            }
            guard node.pairs != nil else {
                issues.add(
                    "expected the name of a field, or { field, type, format, secret }, found \(node.kindName)",
                    at: node.position)
                return nil
            }
            guard let field = Self.schema.decode(node, &issues) else { return nil }
            guard let form = field.format else { return field }
            guard let refusal = (field.typeName ?? .string).refusal(of: form) else { return field }
            issues.add(refusal, at: node["format"]?.position ?? node.position)
            return nil
        }
    }

    /// The settings as in the file, before they are compared with each other.
    struct Read: Sendable {
        /// The store to look in.
        var store: LocatedName?
        /// The event's field that contains the key.
        var key: LocatedName?
        /// The key of a hash.
        var hash: Template?
        /// The event's fields to set.
        var fields: [NamedSetting<Field>] = []
        /// The handling of a missing value.
        var missing = Missing.fail
        /// The values of fields that have none, by the event's field.
        var defaults: [NamedSetting<LocatedName>]?
        /// The handling of a stale store.
        var stale = Stale.fail

        static let schema = SettingsSchema(
            Read(),
            [
                .optional("store", \.store, .optional(.name), "The store to look in, as declared under stores."),
                .optional(
                    "key", \.key, .optional(.name),
                    "The event's field that contains the key of the snapshot; required with store."),
                .optional(
                    "hash", \.hash, .optional(.nonBlankTemplate),
                    "The key of a hash on the server of the section redis, instead of store and key; a field in braces "
                        + "stands for its value."),
                .required(
                    "fields", \.fields, .map(of: Field.settings, minimum: 1),
                    "The fields to set on the event, each with the name of the snapshot's or hash's field, or with "
                        + "its name and type."),
                .optional(
                    "missing", \.missing,
                    .choice(of: [("pass", .pass), ("fail", .fail), ("default", .useDefaults)]), default: "fail",
                    "If there is no snapshot or hash, or it lacks a field: continue without the value, fail the event, or "
                        + "set the value in defaults."),
                .optional(
                    "defaults", \.defaults, .optional(.map(of: Self.text, minimum: 1)),
                    "With missing: default, the text to set for each of the fields."),
                .optional(
                    "stale", \.stale, .choice(of: [("fail", .fail), ("use", .use)]), default: "fail",
                    "If several streams, or keys of a bootstrap, fill the store and it is not up to date: fail the "
                        + "event, or use the content of the store."),
            ], alternatives: [.exactlyOne("store", "hash")])

        /// Text with its position.
        private static let text = SettingType<LocatedName>(shape: .text) { node, issues in
            SettingType<String>.text.decode(node, &issues).map { LocatedName($0, at: node.position) }
        }

        /// The decoder of the settings, which also checks that they fit together.
        static let type = SettingType<Settings>(shape: .object(Self.schema.descriptions)) { node, issues in
            guard let read = Self.schema.decode(node, &issues) else { return nil }
            let origin = read.origin(node, &issues)
            read.checkDefaults(node, &issues)
            // With wrong defaults the names are checked nevertheless; the file is refused in any case.
            guard let origin else { return nil }
            return Settings(
                origin: origin, fields: read.fields, missing: read.missing, stale: read.stale,
                defaults: read.defaults ?? [])
        }

        private func origin(_ node: SettingNode, _ issues: inout SettingIssues) -> Origin? {
            guard let hash = self.hash else {
                guard let store = self.store else {
                    issues.add("missing setting \"store\" (or hash)", at: node.position)
                    return nil
                }
                guard let key = self.key else {
                    issues.add("missing setting \"key\"", at: node.position)
                    return nil
                }
                return .store(store, key: key)
            }
            if let store = self.store {
                issues.add("store and hash are both given: keep one of them", at: store.position)
            } else if let key = self.key {
                issues.add("key is used only with store: put the field in braces in hash", at: key.position)
            } else if case .use = self.stale {
                issues.add("stale is used only with store", at: node["stale"]?.position ?? node.position)
            } else {
                return .hash(hash)
            }
            return nil
        }

        private func checkDefaults(_ node: SettingNode, _ issues: inout SettingIssues) {
            let position = node["defaults"]?.position ?? node.position
            guard case .useDefaults = self.missing else {
                if self.defaults != nil { issues.add("defaults are used only with missing: default", at: position) }
                return
            }
            let defaults = self.defaults ?? []
            for field in self.fields where !defaults.contains(where: { $0.name == field.name }) {
                issues.add("missing: default needs a value for \"\(field.name)\" in defaults", at: position)
            }
            for value in defaults {
                guard let field = self.fields.first(where: { $0.name == value.name }) else {
                    let hint = Nearest.hint(for: value.name, among: self.fields.map(\.name))
                    issues.add("defaults: \"\(value.name)\" is none of the fields\(hint)", at: value.position)
                    continue
                }
                guard let name = field.value.typeName, let type = field.value.type else { continue }
                let bytes = Array(value.value.text.utf8)
                do throws(ValueMistake) {
                    _ = try type.value(of: bytes.span)
                } catch {
                    let quoted = FieldTable.shown("\"\(value.value.text)\"", isSecret: field.value.isSecret)
                    let problem = error.quotesText ? "\(quoted) \(error.message)" : error.message
                    issues.add("defaults: \(value.name): \(problem) (type \(name.rawValue))", at: value.value.position)
                }
            }
        }
    }
}
