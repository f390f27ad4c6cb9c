import StageKit

/// A component's settings as one list; nested ones are named by their path: `fields.NAME.type`.
struct SettingTable {
    /// One setting.
    struct Row {
        /// The path below the component's name, with `NAME` for a free name and `[]` for each item of a list.
        var path: String
        /// The declaration.
        var setting: SettingDescription

        /// Whether the setting belongs to one of several forms of its parent.
        var isOfForm = false

        /// The requirement in words, or `nil` if the setting is optional.
        var requirement: String? {
            guard self.setting.isRequired else { return self.setting.alternatives?.text }
            return self.isOfForm ? "required in this form" : "required"
        }
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
        case .oneName(let names, let others): self.rows(self.alternatives(names) + others, path)
        case .map(let element, _, let others):
            self.rows(of: element, below: path.isEmpty ? "NAME" : "\(path).NAME") + self.rows(others, path)
        case .list(let element, _, _): self.rows(of: element, below: "\(path)[]")
        case .nullable(let inner): self.rows(of: inner, below: path)
        case .either(let shapes): self.rows(ofForms: shapes, path)
        case .text, .nonBlankText, .secret, .integer, .boolean, .duration, .byteSize, .choice, .form, .reference: []
        }
    }

    /// Lists the settings of several forms of one value.
    private static func rows(ofForms shapes: [SettingShape], _ path: String) -> [Row] {
        // A keyword takes the place of the names.
        let words = shapes.flatMap { shape -> [String] in if case .choice(let words) = shape { words } else { [] } }
        let mappings = shapes.compactMap { shape -> [SettingDescription]? in
            if case .object(let names) = shape { names } else { nil }
        }
        // Of several mappings, the names that only one of them requires decide which one it is.
        let required = mappings.flatMap { $0.filter(\.isRequired).map(\.name) }
        let deciding = required.filter { name in mappings.count > 1 && required.count { $0 == name } == 1 }
        return shapes.flatMap { shape -> [Row] in
            switch shape {
            case .oneName(let names, let others):
                return self.rows(self.alternatives(names, words), path, isOfForm: true) + self.rows(others, path)
            case .object(let names):
                let settings = names.map { name in
                    var name = name
                    guard deciding.contains(name.name) else { return name }
                    name.isRequired = false
                    name.alternatives = SettingAlternatives(names: deciding, isExclusive: true)
                    return name
                }
                return self.rows(settings, path, isOfForm: true)
            default: return self.rows(of: shape, below: path)
            }
        }
    }

    /// Returns names of which exactly one is given, unless one of `words` takes their place.
    private static func alternatives(_ names: [SettingDescription], _ words: [String] = []) -> [SettingDescription] {
        let all = SettingAlternatives(names: words + names.map(\.name), isExclusive: true)
        return names.map { name in
            var name = name
            name.isRequired = all.names.count == 1
            name.alternatives = name.isRequired ? nil : all
            return name
        }
    }

    private static func rows(
        _ names: [SettingDescription], _ path: String, isOfForm: Bool = false
    ) -> [Row] {
        names.flatMap { setting in
            let own = path.isEmpty ? setting.name : "\(path).\(setting.name)"
            return [Row(path: own, setting: setting, isOfForm: isOfForm)] + self.rows(of: setting.shape, below: own)
        }
    }

    /// The list for a terminal.
    var text: [String] {
        var lines = self.root.map { TextWrap.lines($0, indent: "  ") } ?? []
        for row in self.rows {
            let setting = row.setting
            let word = row.requirement ?? setting.defaultText.map { "default \($0)" } ?? "optional"
            let head = "  \(row.path)  (\(word))"
            if head.count <= TextWrap.width {
                lines.append(head)
            } else {
                lines.append("  \(row.path)")
                lines += TextWrap.lines("(\(word))", indent: "      ")
            }
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
                    "requirement": row.requirement.map { .string($0) },
                    "alternatives": row.setting.alternatives.map { .strings($0.names) },
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
