import TextSupport

/// The known names of an object, each with its property in a Swift value.
///
/// One declaration provides decoding with positions, defaults, the refusal of unknown names, documentation and JSON
/// Schema.
public struct SettingsSchema<Value: Sendable>: Sendable {
    /// The value before anything is decoded: the defaults.
    public let defaults: Value
    /// The names, in the order in which documentation shows them.
    public let fields: [SettingField<Value>]
    /// The remedy for each name that only similar objects have, for the message that refuses it.
    private let elsewhere: [String: String]
    private let alternatives: [SettingAlternatives]

    /// Creates a schema.
    ///
    /// - Parameters:
    ///   - defaults: The value before anything is decoded.
    ///   - fields: The known names.
    ///   - elsewhere: The remedy for each name that only similar objects have, for the message that refuses it.
    ///   - alternatives: Groups of names of which one is required, for documentation and JSON Schema. The caller refuses
    ///     values that do not comply.
    public init(
        _ defaults: Value, _ fields: [SettingField<Value>], elsewhere: [String: String] = [:],
        alternatives: [SettingAlternatives] = []
    ) {
        self.defaults = defaults
        self.fields = fields
        self.elsewhere = elsewhere
        self.alternatives = alternatives
    }

    /// The descriptions for documentation and JSON Schema.
    public var descriptions: [SettingDescription] {
        self.fields.map { field in
            var description = field.description
            description.alternatives = self.alternatives.first { $0.names.contains(description.name) }
            return description
        }
    }

    /// Decodes an object; an empty value is decoded as an object without names.
    ///
    /// - Returns: The settings, or `nil` if there are errors, all of which are then in the issues.
    public func decode(_ node: SettingNode, _ issues: inout SettingIssues) -> Value? {
        let pairs: [SettingNode.Pair]
        switch node.content {
        case .mapping(let found): pairs = found
        case .null: pairs = []
        default:
            issues.add("expected settings (name: value), found \(node.kindName)", at: node.position)
            return nil
        }
        var value = self.defaults
        var isWhole = true
        for pair in pairs {
            guard let field = self.fields.first(where: { $0.description.name == pair.key }) else {
                let hint =
                    self.elsewhere[pair.key].map { ": \($0)" }
                    ?? Nearest.hint(for: pair.key, among: self.fields.map(\.description.name))
                issues.add("unknown setting \"\(pair.key)\"\(hint)", at: pair.position)
                isWhole = false
                continue
            }
            isWhole = field.read(pair, &value, &issues) && isWhole
        }
        for field in self.fields where field.description.isRequired {
            if !pairs.contains(where: { $0.key == field.description.name }) {
                issues.add("missing setting \"\(field.description.name)\"", at: node.position)
                isWhole = false
            }
        }
        return isWhole ? value : nil
    }
}

/// One known name of an object.
public struct SettingField<Root: Sendable>: Sendable {
    /// The description for documentation and JSON Schema.
    public let description: SettingDescription
    let read: @Sendable (SettingNode.Pair, inout Root, inout SettingIssues) -> Bool

    /// Creates a required name.
    public static func required<T>(
        _ name: String, _ path: any WritableKeyPath<Root, T> & Sendable, _ type: SettingType<T>, _ summary: String
    ) -> SettingField {
        SettingField(name, path, type, isRequired: true, defaultText: nil, summary)
    }

    /// Creates an optional name; `default` is the default as written in the file.
    public static func optional<T>(
        _ name: String, _ path: any WritableKeyPath<Root, T> & Sendable, _ type: SettingType<T>,
        default defaultText: String? = nil, _ summary: String
    ) -> SettingField {
        SettingField(name, path, type, isRequired: false, defaultText: defaultText, summary)
    }

    private init<T>(
        _ name: String, _ path: any WritableKeyPath<Root, T> & Sendable, _ type: SettingType<T>,
        isRequired: Bool, defaultText: String?, _ summary: String
    ) {
        self.description = SettingDescription(
            name: name, shape: type.shape, isRequired: isRequired, defaultText: defaultText, summary: summary)
        self.read = { pair, value, issues in
            let outer = issues.context
            issues.context = outer.isEmpty ? name : "\(outer): \(name)"
            defer { issues.context = outer }
            guard let decoded = type.decode(pair.value, &issues) else { return false }
            value[keyPath: path] = decoded
            return true
        }
    }
}

extension SettingType {
    /// An object with known names.
    public static func object(_ schema: SettingsSchema<Value>) -> SettingType<Value> {
        SettingType(shape: .object(schema.descriptions)) { node, issues in schema.decode(node, &issues) }
    }

    /// A list; with `orSingle`, a value without brackets is a list of one.
    public static func list<Element: Sendable>(
        of element: SettingType<Element>, orSingle: Bool = false, minimum: Int = 0
    ) -> SettingType<[Element]> where Value == [Element] {
        SettingType<[Element]>(shape: .list(element.shape, orSingle: orSingle, minimum: minimum)) { node, issues in
            let nodes: [SettingNode]
            switch node.content {
            case .sequence(let found): nodes = found
            case .scalar where orSingle: nodes = [node]
            case .mapping where orSingle && element.shape.allowsObject: nodes = [node]
            default:
                issues.add("expected a list, found \(node.kindName)", at: node.position)
                return nil
            }
            guard nodes.count >= minimum else {
                issues.add(
                    "expected a list with at least \(minimum) \(minimum == 1 ? "item" : "items")", at: node.position)
                return nil
            }
            let decoded = nodes.map { element.decode($0, &issues) }
            return decoded.contains { $0 == nil } ? nil : decoded.compactMap(\.self)
        }
    }

    /// Free names, each with a value, in the order of the file.
    public static func map<Element: Sendable>(
        of element: SettingType<Element>, minimum: Int = 0
    ) -> SettingType<[NamedSetting<Element>]> where Value == [NamedSetting<Element>] {
        SettingType<[NamedSetting<Element>]>(shape: .map(element.shape, minimum: minimum)) { node, issues in
            guard let pairs = node.pairs, pairs.count >= minimum else {
                let found = node.pairs == nil ? "found \(node.kindName)" : "found none"
                issues.add("expected names with values, \(found)", at: node.position)
                return nil
            }
            let outer = issues.context
            defer { issues.context = outer }
            var decoded: [NamedSetting<Element>] = []
            for pair in pairs {
                issues.context = outer.isEmpty ? pair.key : "\(outer): \(pair.key)"
                guard let value = element.decode(pair.value, &issues) else { continue }
                decoded.append(NamedSetting(name: pair.key, position: pair.position, value: value))
            }
            return decoded.count == pairs.count ? decoded : nil
        }
    }
}

/// A free name of the file with its value.
public struct NamedSetting<Value: Sendable>: Sendable {
    /// The name.
    public var name: String
    /// The position of the name.
    public var position: SettingPosition
    /// The value.
    public var value: Value

    /// Creates a named value.
    public init(name: String, position: SettingPosition, value: Value) {
        self.name = name
        self.position = position
        self.value = value
    }
}
