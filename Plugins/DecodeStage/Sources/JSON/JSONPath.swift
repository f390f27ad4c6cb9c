public import StageKit

/// The names that lead to a member of nested objects: `customer.address.city`.
///
/// A backslash before a dot or a backslash makes it part of a name: `labels.app\.kubernetes\.io/name`.
public struct JSONPath: Sendable {
    /// The names, starting with the outermost.
    public var names: [String]
    /// The position in the file.
    public var mark: SourceMark

    /// The bytes that need a backslash within a name.
    static let escaped: [UInt8] = [UInt8(ascii: "."), UInt8(ascii: "\\")]

    /// The setting type.
    static let type = SettingType<JSONPath>(
        shape: .form(
            #"names joined by dots: customer.id; \. is a dot within a name, and \\ a backslash"#,
            pattern: #"^([^.\\]|\\[.\\])+(\.([^.\\]|\\[.\\])+)*$"#)
    ) { node, issues in
        guard let text = SettingType<String>.nonBlankText.decode(node, &issues) else { return nil }
        guard let names = JSONPath.names(text) else {
            issues.add(
                #"\ in a path must be followed by a dot or another \, which it makes part of a name, found "\#(text)""#,
                at: node.mark)
            return nil
        }
        if names.contains("") {
            issues.add(
                #"expected names joined by dots such as customer.id, found "\#(text)""#,
                at: node.mark)
            return nil
        }
        if names.count > JSONPaths.lengthLimit {
            issues.add("a path has at most \(JSONPaths.lengthLimit) names", at: node.mark)
            return nil
        }
        return JSONPath(names: names, mark: node.mark)
    }

    /// Splits a path into its names; returns `nil` if a backslash is followed by anything but a dot or a backslash.
    static func names(_ text: String) -> [String]? {
        var names = [""]
        var isEscaped = false
        for scalar in text.unicodeScalars {
            switch scalar {
            case ".", "\\":
                if isEscaped {
                    names[names.count - 1].unicodeScalars.append(scalar)
                    isEscaped = false
                } else if scalar == "." {
                    names.append("")
                } else {
                    isEscaped = true
                }
            default:
                if isEscaped { return nil }
                names[names.count - 1].unicodeScalars.append(scalar)
            }
        }
        return isEscaped ? nil : names
    }

    /// Returns the path as it is written in a file.
    static func text(_ names: [String]) -> String {
        names.map { name in
            name.reduce(into: "") { text, character in
                if character == "." || character == "\\" { text.append("\\") }
                text.append(character)
            }
        }.joined(separator: ".")
    }
}
