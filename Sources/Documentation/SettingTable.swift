import StageKit

/// A component's settings as one list; nested ones are named by their path: `fields.NAME.type`.
struct SettingTable {
    /// One setting.
    struct Row {
        /// The path below the component's name, with `NAME` for a free name and `[]` for each item of a list.
        var path: String
        /// The declaration.
        var setting: SettingDescription
    }

    /// The settings in the order of the declaration, each one before its nested settings.
    let rows: [Row]
    /// The allowed value if the settings are not a mapping of known names; otherwise `nil`.
    let root: String?

    /// Lists the settings of a shape.
    init(_ shape: SettingShape) {
        self.rows = Self.rows(of: shape, below: "")
        if case .object = shape { self.root = nil } else { self.root = SettingWords.kind(shape) }
    }

    private static func rows(of shape: SettingShape, below path: String) -> [Row] {
        switch shape {
        case .object(let names): self.rows(names, path)
        case .oneName(let names, let others): self.rows(names + others, path)
        case .map(let element, _, let others):
            self.rows(of: element, below: path.isEmpty ? "NAME" : "\(path).NAME") + self.rows(others, path)
        case .list(let element, _, _): self.rows(of: element, below: "\(path)[]")
        case .nullable(let inner): self.rows(of: inner, below: path)
        case .either(let shapes): shapes.flatMap { self.rows(of: $0, below: path) }
        case .text, .nonBlankText, .secret, .integer, .boolean, .duration, .byteSize, .choice, .form, .reference: []
        }
    }

    private static func rows(_ names: [SettingDescription], _ path: String) -> [Row] {
        names.flatMap { setting in
            let own = path.isEmpty ? setting.name : "\(path).\(setting.name)"
            return [Row(path: own, setting: setting)] + self.rows(of: setting.shape, below: own)
        }
    }

    /// The list for a terminal.
    var text: [String] {
        var lines = self.root.map { TextWrap.lines($0, indent: "  ") } ?? []
        for row in self.rows {
            let setting = row.setting
            let word = setting.isRequired ? "required" : setting.defaultText.map { "default \($0)" } ?? "optional"
            lines.append("  \(row.path)  (\(word))")
            lines += TextWrap.lines(SettingWords.kind(setting.shape), indent: "      ")
            lines += TextWrap.lines(setting.summary, indent: "      ")
        }
        return lines.isEmpty ? ["  none"] : lines
    }

    /// The list for programs.
    var json: JSONValue {
        .array(
            self.rows.map { row in
                .members([
                    "path": .string(row.path),
                    "type": .string(SettingWords.typeName(row.setting.shape)),
                    "required": .boolean(row.setting.isRequired),
                    "default": row.setting.defaultText.map { .string($0) },
                    "values": Self.values(row.setting.shape),
                    "accepts": .string(SettingWords.kind(row.setting.shape)),
                    "description": .string(row.setting.summary),
                ])
            })
    }

    private static func values(_ shape: SettingShape) -> JSONValue? {
        switch shape {
        case .choice(let words): .strings(words)
        case .nullable(let inner): self.values(inner)
        default: nil
        }
    }
}

/// Breaks text into lines for a terminal.
package enum TextWrap {
    /// The width of a standard terminal.
    package static let width = 80

    /// Wraps text to lines of at most `width` columns, each one with the indent; a longer word gets its own line.
    package static func lines(_ text: String, indent: String) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, indent.count + line.count + 1 + word.count > self.width {
                lines.append(indent + line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        if !line.isEmpty { lines.append(indent + line) }
        return lines
    }
}
