import RedisClient
import StageKit

extension KeyBootstrap {
    /// The accepted values of `count`. The limit matters because SCAN blocks the server for the duration of one step.
    static let counts = 1...10_000

    private static let schema = SettingsSchema(
        KeyBootstrap(match: ""),
        [
            .required("match", \.match, .nonBlankText, "Pattern of the keys, as for SCAN: session:*."),
            .optional(
                "type", \.form, .choice(of: Form.allCases.map { ($0.rawValue, $0) }), default: "hash",
                "Type of the keys: hash, or json (a string with a flat object)."),
            .optional(
                "key_field", \.keyField, .given,
                "Field that receives the key without the pattern's text before its first wildcard."),
            .optional(
                "count", \.count, .integer(Self.counts), default: "500",
                "COUNT of each SCAN."),
        ])

    /// The setting type of the mapping.
    static let type = SettingType<KeyBootstrap>.object(Self.schema)
}

extension SettingType where Value == Bootstrap {
    /// The setting type: `none`, `stream`, or a mapping `keys`.
    static var bootstrap: SettingType<Bootstrap> {
        let words = SettingType<Bootstrap>.choice(of: [("none", Bootstrap.none), ("stream", .stream)])
        let keys = SettingDescription(
            name: "keys", shape: KeyBootstrap.type.shape, isRequired: true, summary: "The keys to read.")
        return SettingType(shape: .either([words.shape, .object([keys])])) {
            node, issues in
            guard let entries = node.pairs else { return words.decode(node, &issues) }
            guard entries.count == 1, entries[0].key == "keys" else {
                issues.add("expected none, stream, or { keys: { match: ... } }", at: node.position)
                return nil
            }
            return issues.within("\(issues.context): keys") { issues in
                KeyBootstrap.type.decode(entries[0].value, &issues).map { .keys($0) }
            }
        }
    }
}
