import TextSupport

/// The decoder and the shape of a kind of value, in one declaration.
public struct SettingType<Value: Sendable>: Sendable {
    /// The allowed content.
    public let shape: SettingShape
    /// Decodes the value. Adds errors to the issues and returns `nil` if the value is invalid.
    public let decode: @Sendable (SettingNode, inout SettingIssues) -> Value?

    /// Creates a type from its shape and its decoder.
    public init(shape: SettingShape, decode: @escaping @Sendable (SettingNode, inout SettingIssues) -> Value?) {
        self.shape = shape
        self.decode = decode
    }

    /// Decodes a value whose errors are reported elsewhere; returns `nil` if it is invalid.
    public func decodeSilently(_ node: SettingNode) -> Value? {
        var reportedElsewhere = SettingIssues()
        return self.decode(node, &reportedElsewhere)
    }

    /// Returns a type with the same form in the file and another Swift value. `transform` throws a `SettingRefusal` for
    /// values that it refuses.
    public func map<Other: Sendable>(
        _ transform: @escaping @Sendable (Value) throws(SettingRefusal) -> Other
    ) -> SettingType<Other> {
        SettingType<Other>(shape: self.shape) { node, issues in
            guard let value = self.decode(node, &issues) else { return nil }
            do throws(SettingRefusal) {
                return try transform(value)
            } catch {
                issues.add(error.message, at: node.position)
                return nil
            }
        }
    }
}

/// The reason why a well-formed value is refused; the decoder adds the position.
public struct SettingRefusal: Error {
    /// The problem and its remedy.
    public var message: String

    /// Creates a refusal.
    public init(_ message: String) {
        self.message = message
    }
}

extension SettingType where Value == String {
    /// Text. Numbers and booleans without quotes are read as they are written.
    public static var text: SettingType<String> {
        SettingType(shape: .text) { node, issues in
            if case .scalar(let text, _) = node.content { return text }
            issues.add("expected text, found \(node.kindName)", at: node.position)
            return nil
        }
    }

    /// Text that is not blank.
    public static var nonBlankText: SettingType<String> {
        let type = SettingType.text.map { (text) throws(SettingRefusal) in
            guard text.contains(where: { !$0.isWhitespace }) else { throw SettingRefusal("must not be blank") }
            return text
        }
        return SettingType(shape: .nonBlankText, decode: type.decode)
    }

    /// A secret: decoded like text, never shown.
    public static var secret: SettingType<String> {
        SettingType(shape: .secret, decode: SettingType.text.decode)
    }

    /// One of some words.
    public static func choice(_ words: [String]) -> SettingType<String> {
        SettingType(shape: .choice(words)) { node, issues in
            guard let text = SettingType.text.decode(node, &issues) else { return nil }
            if words.contains(text) { return text }
            issues.add("unknown value \"\(text)\"\(Nearest.hint(for: text, among: words))", at: node.position)
            return nil
        }
    }
}

extension SettingType {
    /// One of the words that name a case.
    public static func choice(of values: [(name: String, value: Value)]) -> SettingType<Value> {
        let words = SettingType<String>.choice(values.map(\.name))
        return SettingType(shape: words.shape) { node, issues in
            guard let word = words.decode(node, &issues) else { return nil }
            return values.first { $0.name == word }?.value
        }
    }

    /// The type, or `nil` for `null`.
    public static func optional<Wrapped>(_ type: SettingType<Wrapped>) -> SettingType<Wrapped?>
    where Value == Wrapped? {
        SettingType<Wrapped?>(shape: .nullable(type.shape)) { node, issues in
            if case .null = node.content { return .some(nil) }
            return type.decode(node, &issues).map { .some($0) }
        }
    }
}

extension SettingType where Value == Int {
    /// A whole number in a range.
    public static func integer(_ range: ClosedRange<Int> = Int.min...Int.max) -> SettingType<Int> {
        SettingType(shape: .integer(range)) { node, issues in
            guard case .scalar(let text, _) = node.content else {
                issues.add("expected a whole number, found \(node.kindName)", at: node.position)
                return nil
            }
            guard SettingUnits.isWholeNumber(text) else {
                issues.add("expected a whole number, found \"\(text)\"", at: node.position)
                return nil
            }
            // A number with more digits than the machine's integers is out of any range.
            guard let value = Int(text), range.contains(value) else {
                issues.add("\(text) is out of range: \(SettingLimits.describe(range))", at: node.position)
                return nil
            }
            return value
        }
    }
}

extension SettingType where Value == Bool {
    /// `true` or `false`.
    public static var boolean: SettingType<Bool> {
        SettingType(shape: .boolean) { node, issues in
            if case .scalar(let text, _) = node.content {
                if text == "true" { return true }
                if text == "false" { return false }
                issues.add("expected true or false, found \"\(text)\"", at: node.position)
            } else {
                issues.add("expected true or false, found \(node.kindName)", at: node.position)
            }
            return nil
        }
    }
}

/// The wording of limits in messages.
enum SettingLimits {
    /// `at least 1`, `at most 5`, `1 to 5`.
    static func describe(_ range: ClosedRange<Int>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (let low, Int.max): "the minimum is \(low)"
        case (Int.min, let high): "the maximum is \(high)"
        case (let low, let high): "it must be from \(low) to \(high)"
        }
    }
}
