package import PipelineEngine
import StageKit

/// The JSON Schema of a pipeline file, generated from the declarations that also read it.
///
/// Source: JSON Schema 2020-12. Every scalar may be replaced by `${NAME}`, so every other form is an alternative to
/// text that contains `${`.
package enum PipelineSchema {
    /// A regular expression for text that contains a variable.
    private static let variable = #"\$\{"#

    /// Returns the schema of files that may name the types of a catalogue.
    package static func document(_ catalogue: Catalogue) -> JSONValue {
        let file = FileShape(catalogue)
        let definitions = file.definitions.map { JSONValue.Member(name: $0.name, value: self.schema($0.shape)) }
        return JSONValue.members([
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Sluice pipeline file",
            "description":
                "A pipeline file as `sluice validate` accepts it, except for rules that a schema cannot express.",
        ]).adding(self.schema(file.root)).adding(.members(["$defs": .object(definitions)]))
    }

    /// Returns the schema of a shape.
    static func schema(_ shape: SettingShape) -> JSONValue {
        switch shape {
        case .text: .members(["type": self.scalars])
        case .nonBlankText: .members(["type": self.scalars, "pattern": #"\S"#])
        case .secret: .members(["type": self.scalars, "writeOnly": true])
        case .integer(let range): self.integer(range)
        case .boolean:
            .members(["type": ["boolean", "string"], "pattern": .string(self.orVariable("^(true|false)$"))])
        case .duration(let minimum):
            .members([
                "type": "string",
                "pattern": .string(self.orVariable(self.durations(minimum))),
                "examples": ["250ms", "5s", "2m"],
            ])
        case .byteSize:
            .members([
                "type": "string", "pattern": .string(self.orVariable("^[0-9]+(B|KiB|MiB|GiB)$")),
                "examples": ["64KiB", "1MiB"],
            ])
        case .choice(let words): self.choice(words)
        case .list(let element, let orSingle, let minimum): self.list(element, orSingle, minimum)
        case .map(let element, let minimum, let others):
            .members([
                "type": "object", "properties": others.isEmpty ? nil : self.properties(others),
                "additionalProperties": self.schema(element),
                "minProperties": minimum > 0 ? .integer(minimum) : nil,
            ])
        case .object(let names): self.object(names, acceptsNothing: shape.acceptsNothing)
        case .oneName(let names, let others): self.oneName(names, others)
        case .reference(let name): .members(["$ref": "#/$defs/\(name)"])
        case .form(_, let pattern):
            .members(["type": self.scalars, "pattern": pattern.map { .string(self.orVariable($0)) }])
        case .either(let shapes): self.either(shapes)
        case .nullable(let shape): .members(["anyOf": [self.schema(shape), .members(["type": "null"])]])
        }
    }

    /// The types that YAML may assign to a scalar that is read as text.
    private static let scalars: JSONValue = ["string", "number", "boolean"]

    /// Returns a regular expression for durations. It checks the minimum only partly: no sign unless negative values
    /// are allowed, and no zero if the minimum is positive.
    private static func durations(_ minimum: Duration) -> String {
        let number = minimum < .zero ? "-?[0-9]+" : minimum == .zero ? "[0-9]+" : "0*[1-9][0-9]*"
        return "^\(number)(us|ms|s|m|h|d)$"
    }

    /// Returns alternatives; if one is a mapping and the other is not, the kind of the value decides, so that an error
    /// is reported for the intended one.
    private static func either(_ shapes: [SettingShape]) -> JSONValue {
        let mappings = shapes.filter(\.isMapping)
        let others = shapes.filter { !$0.isMapping }
        guard mappings.count == 1, others.count == 1 else {
            return .members(["anyOf": .array(shapes.map { self.schema($0) })])
        }
        return .members([
            "if": .members(["type": "object"]), "then": self.schema(mappings[0]), "else": self.schema(others[0]),
        ])
    }

    private static func orVariable(_ pattern: String) -> String { "\(pattern)|\(self.variable)" }

    private static func integer(_ range: ClosedRange<Int>) -> JSONValue {
        .members([
            "type": ["integer", "string"],
            "minimum": range.lowerBound == Int.min ? nil : .integer(range.lowerBound),
            "maximum": range.upperBound == Int.max ? nil : .integer(range.upperBound),
            "pattern": .string(self.orVariable("^[+-]?[0-9]+$")),
        ])
    }

    private static func choice(_ words: [String]) -> JSONValue {
        // Keywords that YAML reads as another type are also allowed in that type.
        let others = words.compactMap { word -> JSONValue? in
            switch word {
            case "true": .boolean(true)
            case "false": .boolean(false)
            default: Int(word).map { .integer($0) }
            }
        }
        return .members([
            "anyOf": [
                .members(["enum": .array(words.map { .string($0) } + others)]),
                .members(["type": "string", "pattern": .string(self.variable)]),
            ]
        ])
    }

    private static func list(_ element: SettingShape, _ orSingle: Bool, _ minimum: Int) -> JSONValue {
        let list = JSONValue.members([
            "type": "array", "items": self.schema(element), "minItems": minimum > 0 ? .integer(minimum) : nil,
        ])
        return orSingle ? .members(["anyOf": [self.schema(element), list]]) : list
    }

    private static func object(_ names: [SettingDescription], acceptsNothing: Bool) -> JSONValue {
        let required = names.filter(\.isRequired).map(\.name)
        return .members([
            "type": acceptsNothing ? ["object", "null"] : "object",
            "properties": self.properties(names),
            "required": required.isEmpty ? nil : .strings(required),
            "additionalProperties": false,
        ]).adding(self.alternatives(names))
    }

    /// Returns the rules for groups of names of which one is required. A null counts as missing.
    private static func alternatives(_ names: [SettingDescription]) -> JSONValue {
        var groups: [SettingAlternatives] = []
        for group in names.compactMap(\.alternatives) where !groups.contains(group) { groups.append(group) }
        let rules = groups.map { group in
            JSONValue.members([
                (group.isExclusive ? "oneOf" : "anyOf"): .array(
                    group.names.map { name in
                        let isGiven = JSONValue.members([name: .members(["not": .members(["type": "null"])])])
                        return .members(["required": .strings([name]), "properties": isGiven])
                    })
            ])
        }
        return rules.count > 1 ? .members(["allOf": .array(rules)]) : rules.first ?? .members([:])
    }

    private static func oneName(_ names: [SettingDescription], _ others: [SettingDescription]) -> JSONValue {
        .members([
            "type": "object",
            "properties": self.properties(names + others),
            "oneOf": .array(names.map { .members(["required": .strings([$0.name])]) }),
            "additionalProperties": false,
        ])
    }

    private static func properties(_ names: [SettingDescription]) -> JSONValue {
        .object(names.map { JSONValue.Member(name: $0.name, value: self.property($0)) })
    }

    /// Returns a member's schema with its description.
    private static func property(_ setting: SettingDescription) -> JSONValue {
        let about = JSONValue.members([
            "title": .string(setting.name),
            "description": .string(([setting.summary] + SettingWords.limits(setting.shape)).joined(separator: " ")),
            "default": setting.defaultText.map { self.value($0, setting.shape) },
        ])
        return about.adding(self.schema(setting.shape))
    }

    /// Returns a default in the form that the file would contain.
    private static func value(_ text: String, _ shape: SettingShape) -> JSONValue {
        switch shape {
        case .nullable(let shape): self.value(text, shape)
        case .either(let shapes):
            shapes.map { self.value(text, $0) }.first { $0 != .string(text) } ?? .string(text)
        case .integer: Int(text).map { .integer($0) } ?? .string(text)
        case .boolean: text == "true" || text == "false" ? .boolean(text == "true") : .string(text)
        case .list where text == "[]": .array([])
        default: .string(text)
        }
    }
}

extension SettingShape {
    /// Whether the shape is written as a mapping of known names.
    fileprivate var isMapping: Bool {
        switch self {
        case .object, .oneName: true
        default: false
        }
    }
}
