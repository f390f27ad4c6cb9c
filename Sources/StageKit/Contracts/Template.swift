/// Text with field names in braces as written in the file, such as `order {order_id}`. A literal brace is written twice.
public struct Template: Sendable, Equatable {
    /// A part of a template.
    public enum Piece: Sendable, Equatable {
        /// Literal text.
        case text(String)
        /// The value of the field of this name.
        case field(String)
    }

    /// The pieces in order, without adjacent texts.
    public var pieces: [Piece] = []
    /// The position in the file.
    public var position: SettingPosition

    /// A placeholder for a required template in the defaults of settings.
    public static let unread = Template([], at: LocatedName.unread.position)

    private init(_ pieces: [Piece], at position: SettingPosition) {
        self.pieces = pieces
        self.position = position
    }

    /// Parses a template.
    ///
    /// - Throws: The problem if the braces are invalid.
    public init(_ text: String, at position: SettingPosition = LocatedName.unread.position) throws(SettingRefusal) {
        self.position = position
        var literal = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            switch character {
            case "{" where rest.first == "{", "}" where rest.first == "}":
                rest.removeFirst()
                literal.append(character)
            case "}":
                throw SettingRefusal("a } without { (write }} for a literal brace)")
            case "{":
                guard let end = rest.firstIndex(where: { $0 == "}" || $0 == "{" }), rest[end] == "}" else {
                    throw SettingRefusal("a { without } (write {{ for a literal brace)")
                }
                let name = rest[..<end]
                guard name.contains(where: { !$0.isWhitespace }) else {
                    throw SettingRefusal("expected the name of a field between { and }")
                }
                if !literal.isEmpty { self.pieces.append(.text(literal)) }
                literal = ""
                self.pieces.append(.field(String(name)))
                rest = rest[rest.index(after: end)...]
            default:
                literal.append(character)
            }
        }
        if !literal.isEmpty { self.pieces.append(.text(literal)) }
    }

    /// The text, or `nil` if it contains fields.
    public var literal: String? {
        switch self.pieces.count {
        case 0: return ""
        case 1: if case .text(let text) = self.pieces[0] { return text } else { return nil }
        default: return nil
        }
    }

    /// The text as in the file.
    public var text: String {
        self.pieces.map { piece in
            switch piece {
            case .field(let name): "{\(name)}"
            case .text(let text): text.replacing("{", with: "{{").replacing("}", with: "}}")
            }
        }.joined()
    }

    /// A pattern in the syntax of Redis (`*`, and `\` before a special character) that matches every text of the
    /// template.
    public var pattern: String {
        self.pieces.map { piece in
            switch piece {
            case .field: "*"
            case .text(let text):
                text.reduce(into: "") { pattern, character in
                    if "*?[]^\\".contains(character) { pattern.append("\\") }
                    pattern.append(character)
                }
            }
        }.joined()
    }

    /// Returns the template with its names resolved. Adds an error for a field that no earlier stage provides.
    ///
    /// - Parameters:
    ///   - setup: The setup of the stage.
    ///   - purpose: What a secret field would be shown in, such as `the name of a stream`, for an error if the template
    ///     contains one; `nil` if secrets are allowed.
    public func resolve(_ setup: StageSetup, refusingSecretsIn purpose: String? = nil) -> ResolvedTemplate {
        setup.noteTemplate(at: self.position)
        var isSecret = false
        let pieces = self.pieces.map { piece -> ResolvedTemplate.Piece in
            switch piece {
            case .text(let text): return .text(Array(text.utf8))
            case .field(let name):
                if setup.isSecret(name) {
                    isSecret = true
                    if let purpose {
                        setup.issues.add(
                            "the field \"\(name)\" is secret, but \(purpose) would show it", at: self.position)
                    }
                }
                return .field(setup.input(LocatedName(name, at: self.position)), name)
            }
        }
        return ResolvedTemplate(pieces: pieces, isSecret: isSecret)
    }
}

/// A template, ready to be filled with the values of events.
public struct ResolvedTemplate: Sendable {
    /// A part of the template.
    enum Piece: Sendable {
        case text([UInt8])
        case field(FieldID, String)
    }

    let pieces: [Piece]
    /// Whether the template contains a secret field.
    public let isSecret: Bool

    /// The field, if the template is only the value of one field.
    public var onlyField: FieldID? {
        if self.pieces.count == 1, case .field(let field, _) = self.pieces[0] { field } else { nil }
    }

    /// What happens to a field that the event does not have, or that is empty.
    public enum MissingFields: Sendable {
        /// The template cannot be filled.
        case refuse
        /// The field counts as empty text.
        case skip
    }

    /// Appends the text for an event.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - bytes: The bytes to append to; they are unspecified after an error.
    ///   - limit: The maximum number of bytes.
    ///   - missing: What happens to a field that the event does not have.
    ///   - isPercentEncoded: Whether the values of fields, which must be UTF-8, are percent-encoded, so that each stays
    ///     within one part of a URL: every byte except letters, digits, `-`, `.`, `_` and `~` (RFC 3986, section 2.3).
    /// - Throws: The problem, without the values of fields.
    public func append(
        _ event: borrowing Event, to bytes: inout [UInt8], limit: Int, missing: MissingFields,
        isPercentEncoded: Bool = false
    ) throws(TemplateFailure) {
        for piece in self.pieces {
            switch piece {
            case .text(let text): bytes += text
            case .field(let field, let name):
                guard let range = event.range(of: field), range.length > 0 || missing == .skip else {
                    if missing == .skip { continue }
                    throw TemplateFailure("\(name) is \(event.range(of: field) == nil ? "missing" : "empty")")
                }
                guard Int(range.length) <= limit else { throw Self.tooLong(limit) }
                // Used only within this iteration, before any value is set.
                if isPercentEncoded {
                    let value = unsafe event.unsafeBytes(range).span
                    // URL libraries drop a path that is not UTF-8 behind its percent-encoding.
                    guard (try? UTF8Span(validating: value)) != nil else {
                        throw TemplateFailure("\(name) is not valid UTF-8")
                    }
                    for index in value.indices { Self.appendEncoded(value[index], to: &bytes) }
                } else {
                    unsafe bytes.append(contentsOf: event.unsafeBytes(range))
                }
            }
            guard bytes.count <= limit else { throw Self.tooLong(limit) }
        }
    }

    private static func tooLong(_ limit: Int) -> TemplateFailure {
        TemplateFailure("the value is too long: the maximum is \(limit) bytes")
    }

    private static func appendEncoded(_ byte: UInt8, to bytes: inout [UInt8]) {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: bytes.append(byte)
        default:
            let digits = Array("0123456789ABCDEF".utf8)
            bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
}

/// The reason why a template cannot be filled for an event; it contains no values of fields.
public struct TemplateFailure: Error, Sendable {
    /// The reason.
    public var message: String

    init(_ message: String) {
        self.message = message
    }
}

extension SettingType where Value == Template {
    /// Text with field names in braces.
    public static var template: SettingType<Template> {
        SettingType(shape: Self.shape(pattern: "^")) { node, issues in
            guard let text = SettingType<String>.text.decode(node, &issues) else { return nil }
            do throws(SettingRefusal) {
                return try Template(text, at: node.position)
            } catch {
                issues.add(error.message, at: node.position)
                return nil
            }
        }
    }

    private static func shape(pattern: String) -> SettingShape {
        .form(
            "text with the names of fields in braces",
            pattern: pattern + #"([^{}]|\{\{|\}\}|\{[^{}]*[^{}\s][^{}]*\})*$"#)
    }

    /// Text that is not blank, with field names in braces.
    public static var nonBlankTemplate: SettingType<Template> {
        SettingType(shape: Self.shape(pattern: #"^(?=[\s\S]*\S)"#)) { node, issues in
            guard SettingType<String>.nonBlankText.decode(node, &issues) != nil else { return nil }
            return SettingType.template.decode(node, &issues)
        }
    }
}
