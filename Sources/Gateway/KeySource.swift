import StageKit

/// A place of a request that may have the session's key.
public enum KeySource: Sendable, Equatable {
    /// The value of a header.
    case header(String)
    /// The value of a cookie; its name is case-sensitive.
    case cookie(String)
    /// The token after `Bearer` in `Authorization`.
    case bearer

    /// The name of the header to read, in lower case.
    var headerName: String {
        switch self {
        case .header(let name): name.lowercased()
        case .cookie: "cookie"
        case .bearer: "authorization"
        }
    }

    private static let descriptions = [
        SettingDescription(
            name: "header", shape: .form("the name of a header", pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
            summary: "The value of a header."),
        SettingDescription(
            name: "cookie", shape: .form("the name of a cookie", pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
            summary: "The value of a cookie."),
        SettingDescription(
            name: "bearer", shape: .boolean, summary: "The token after Bearer in Authorization."),
    ]

    /// The setting type: `{ header: NAME }`, `{ cookie: NAME }` or `{ bearer: true }`.
    static let type = SettingType<KeySource>(shape: .oneName(Self.descriptions)) { node, issues in
        guard let entries = node.pairs, entries.count == 1, let entry = entries.first else {
            let count = node.pairs.map { "\($0.count) names" } ?? node.kindName
            issues.add("expected one of header, cookie and bearer, found \(count)", at: node.position)
            return nil
        }
        switch entry.key {
        case "header":
            guard let name = Self.name(entry.value, "header", &issues) else { return nil }
            if HeaderName.reserved.contains(name.lowercased()) {
                issues.add("header: \(name) cannot carry a key", at: entry.value.position)
                return nil
            }
            return .header(name)
        case "cookie": return Self.name(entry.value, "cookie", &issues).map { .cookie($0) }
        case "bearer":
            guard let isSet = SettingType.boolean.decode(entry.value, &issues) else { return nil }
            if isSet { return .bearer }
            issues.add("bearer: false has no meaning: leave it out", at: entry.value.position)
            return nil
        default:
            let hint = Nearest.hint(for: entry.key, among: Self.descriptions.map(\.name))
            issues.add("unknown setting \"\(entry.key)\"\(hint)", at: entry.position)
            return nil
        }
    }

    private static func name(_ node: SettingNode, _ kind: String, _ issues: inout SettingIssues) -> String? {
        guard let name = SettingType<String>.text.decode(node, &issues) else { return nil }
        if HeaderName.isValid(name) { return name }
        issues.add("\(kind): expected the name of a \(kind), found \"\(name)\"", at: node.position)
        return nil
    }
}
