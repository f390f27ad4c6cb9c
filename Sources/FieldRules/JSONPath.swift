public import StageKit

/// The way to a value within nested objects and lists: `customer.address.city`, `items[0].sku`, `items[*].sku`.
///
/// A backslash before `.`, `\`, `[`, `]` or `*` makes the character part of a name:
/// `labels.app\.kubernetes\.io/name`.
public struct JSONPath: Sendable {
    /// A step from a value to one within it.
    public enum Step: Sendable, Equatable {
        /// To the member of an object.
        case name(String)
        /// To an element of a list, counted from 0.
        case element(Int)
        /// To all elements of a list.
        case all
    }

    /// The steps, starting at the outermost object.
    public var steps: [Step]
    /// The position in the file.
    public var position: SettingPosition

    /// Creates a path.
    package init(steps: [Step], position: SettingPosition) {
        self.steps = steps
        self.position = position
    }

    /// The maximum number of digits of an element's number: far above any list of an event.
    private static let digitLimit = 6
    /// The maximum number of steps.
    package static let lengthLimit = 16
    /// The bytes that need a backslash within a name.
    package static let escaped: [UInt8] = Array(".\\[]".utf8)

    /// Whether the path leads to several values.
    package var hasAll: Bool { self.steps.contains(.all) }

    /// The names, or `nil` if the path leads to elements of a list.
    package var names: [String]? {
        let names = self.steps.compactMap { step in if case .name(let name) = step { name } else { nil } }
        return names.count == self.steps.count ? names : nil
    }

    /// The setting type.
    package static let type = SettingType<JSONPath>(
        shape: .form(
            #"names joined by dots, with [0] or [*] after that of a list: customer.id, items[0].sku; \. is a dot"#
                + #" within a name, and \\ a backslash"#,
            pattern: #"^N(I)*(\.N(I)*)*$"#
                .replacing("N", with: #"([^.\\\[\]]|\\[.\\\[\]*])+"#).replacing("I", with: #"\[([0-9]{1,6}|\*)\]"#))
    ) { node, issues in
        guard let text = SettingType<String>.nonBlankText.decode(node, &issues) else { return nil }
        do throws(SettingRefusal) {
            let steps = try JSONPath.steps(text)
            guard steps.count <= JSONPath.lengthLimit else {
                throw SettingRefusal("a path has at most \(JSONPath.lengthLimit) names")
            }
            return JSONPath(steps: steps, position: node.position)
        } catch {
            issues.add(error.message, at: node.position)
            return nil
        }
    }

    /// Splits a path into its steps.
    package static func steps(_ text: String) throws(SettingRefusal) -> [Step] {
        var steps: [Step] = []
        var rest = Array(text.unicodeScalars)[...]
        while true {
            steps.append(try self.name(&rest, of: text))
            while rest.first == "[" {
                rest.removeFirst()
                steps.append(try self.element(&rest, of: text))
            }
            guard let next = rest.popFirst() else { return steps }
            guard next == "." else { throw self.brackets(text) }
        }
    }

    private static func name(
        _ rest: inout ArraySlice<Unicode.Scalar>, of text: String
    ) throws(SettingRefusal) -> Step {
        var name = ""
        var isPlain = true
        while let scalar = rest.first, scalar != ".", scalar != "[" {
            rest.removeFirst()
            if scalar == "]" { throw self.brackets(text) }
            guard scalar == "\\" else {
                name.unicodeScalars.append(scalar)
                continue
            }
            guard let escaped = rest.popFirst(), ".\\[]*".unicodeScalars.contains(escaped) else {
                throw SettingRefusal(
                    #"\ in a path must be followed by . \ [ ] or *, which it makes part of a name, found "\#(text)""#)
            }
            name.unicodeScalars.append(escaped)
            isPlain = false
        }
        if name.isEmpty {
            throw SettingRefusal("expected names joined by dots such as customer.id, found \"\(text)\"")
        }
        return isPlain && name == "*" ? .all : .name(name)
    }

    /// Reads the number of an element, or `*`, and the closing bracket.
    private static func element(
        _ rest: inout ArraySlice<Unicode.Scalar>, of text: String
    ) throws(SettingRefusal) -> Step {
        guard let end = rest.firstIndex(of: "]") else { throw self.brackets(text) }
        let inner = String(String.UnicodeScalarView(rest[..<end]))
        rest = rest[(end + 1)...]
        if inner == "*" { return .all }
        guard inner.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(inner) else {
            throw self.brackets(text)
        }
        guard inner.utf8.count <= self.digitLimit else {
            throw SettingRefusal("the number of an element has at most \(self.digitLimit) digits, found \"\(text)\"")
        }
        return .element(number)
    }

    private static func brackets(_ text: String) -> SettingRefusal {
        SettingRefusal(
            #"expected the number of an element or * in brackets, such as items[0].sku, found "\#(text)" "#
                + #"(\[ is a bracket within a name)"#)
    }

    /// Returns names as a path in the form of the file.
    package static func text(_ names: [String]) -> String {
        names.map { name in
            if name == "*" { return "\\*" }
            return name.reduce(into: "") { text, character in
                if ".\\[]".contains(character) { text.append("\\") }
                text.append(character)
            }
        }.joined(separator: ".")
    }
}
