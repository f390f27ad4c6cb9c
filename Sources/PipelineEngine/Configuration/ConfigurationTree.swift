import StageKit
import YAML

/// A pipeline file as a tree of values with positions: parsed, with environment variables inserted and overrides
/// applied.
struct ConfigurationTree {
    /// The whole document, a mapping.
    let root: SettingNode

    /// Reads a file's text. All errors in values are reported together; a syntax error stops reading.
    init(text: [UInt8], file: String, environment: [String: String], overrides: [Override]) throws(ConfigurationError) {
        let document: YAMLNode?
        do throws(YAMLError) {
            document = try YAMLParser.parse(text)
        } catch {
            throw ConfigurationError(
                file: file, issues: [SettingIssue(error.message, at: SettingPosition(error.position))])
        }
        var issues = SettingIssues()
        let interpolation = Interpolation(environment: environment)
        let start = SettingPosition(line: 1, column: 1)
        let parts = ScalarParts(text)
        var root = document.map { Self.convert($0, interpolation, in: parts, &issues) } ?? SettingNode(.null, at: start)
        for override in overrides {
            Self.apply(override, to: &root, interpolation, &issues)
        }
        if root.pairs == nil {
            let found = document == nil ? "an empty file" : root.kindName
            issues.add("expected a pipeline (names with values, such as stages:), found \(found)", at: root.position)
        }
        if !issues.all.isEmpty { throw ConfigurationError(file: file, issues: issues.all) }
        self.root = root
    }

    /// The value with its positions; without interpolation, text is unchanged, and without the document's lines, the
    /// positions of the parts of texts are not known.
    static func convert(
        _ node: YAMLNode, _ interpolation: Interpolation?, in parts: ScalarParts? = nil, _ issues: inout SettingIssues
    ) -> SettingNode {
        let position = SettingPosition(node.position)
        switch node.content {
        case .scalar(let scalar):
            if scalar.isNull { return SettingNode(.null, at: position) }
            do throws(Interpolation.Problem) {
                let text = try interpolation?.expand(scalar.text) ?? scalar.text
                var value = SettingNode(.scalar(text, isPlain: scalar.isPlain), at: position)
                if text == scalar.text { value.parts = parts?.parts(of: text, at: position) ?? [] }
                return value
            } catch {
                issues.add(error.message, at: position)
                return SettingNode(.scalar(scalar.text, isPlain: scalar.isPlain), at: position)
            }
        case .sequence(let items):
            return SettingNode(
                .sequence(items.map { self.convert($0, interpolation, in: parts, &issues) }), at: position)
        case .mapping(let pairs):
            let entries = pairs.map { pair in
                SettingNode.Pair(
                    key: self.text(of: pair.key), position: SettingPosition(pair.key.position),
                    value: self.convert(pair.value, interpolation, in: parts, &issues))
            }
            return SettingNode(.mapping(entries), at: position)
        }
    }

    /// Keys are scalars: the parser refuses others.
    private static func text(of key: YAMLNode) -> String {
        if case .scalar(let scalar) = key.content { scalar.text } else { "" }
    }

    /// An override has the position of the value it replaces, so that an error in it is reported there.
    private static func apply(
        _ override: Override, to root: inout SettingNode, _ interpolation: Interpolation,
        _ issues: inout SettingIssues
    ) {
        let path = override.path.joined(separator: ".")
        let position = root.position
        let value: SettingNode
        do throws(YAMLError) {
            let parsed = try YAMLParser.parse(Array(override.value.utf8))
            value =
                parsed.map { self.convert($0, interpolation, &issues) } ?? SettingNode(.null, at: position)
        } catch {
            issues.add("--set \(path): \(error.message)", at: position)
            return
        }
        do throws(SettingRefusal) {
            try root.put(value, at: override.path[...])
        } catch {
            issues.add("--set \(path): \(error.message)", at: position)
        }
    }
}

extension SettingPosition {
    init(_ position: YAMLPosition) {
        self.init(line: position.line, column: position.column)
    }
}

extension SettingNode {
    /// The same value with every position replaced by one.
    func moved(to position: SettingPosition) -> SettingNode {
        switch self.content {
        case .null, .scalar: SettingNode(self.content, at: position)
        case .sequence(let items): SettingNode(.sequence(items.map { $0.moved(to: position) }), at: position)
        case .mapping(let entries):
            SettingNode(
                .mapping(entries.map { Pair(key: $0.key, position: position, value: $0.value.moved(to: position)) }),
                at: position)
        }
    }
}
