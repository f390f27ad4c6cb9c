import StageKit

/// A JSON value whose members keep their order, for documents that commands write.
package enum JSONValue: Equatable, Sendable {
    /// Text.
    case string(String)
    /// A whole number.
    case integer(Int)
    /// `true` or `false`.
    case boolean(Bool)
    /// `null`.
    case null
    /// Text that is already JSON, on one line.
    case written(String)
    /// A list.
    case array([JSONValue])
    /// Names with values, in the order written.
    case object([Member])

    /// A name with its value.
    package struct Member: Equatable, Sendable {
        /// The name.
        package var name: String
        /// The value.
        package var value: JSONValue

        /// Creates a member.
        package init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// Returns a list of strings.
    package static func strings(_ texts: some Sequence<String>) -> JSONValue {
        .array(texts.map { .string($0) })
    }

    /// Returns an object; members without a value are omitted.
    package static func members(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(members.compactMap { name, value in value.map { Member(name: name, value: $0) } })
    }

    /// Returns the object with further members appended; other values are returned unchanged.
    package func adding(_ others: JSONValue) -> JSONValue {
        guard case .object(let mine) = self, case .object(let theirs) = others else { return self }
        return .object(mine + theirs)
    }

    /// The value on one line.
    package var compact: String {
        var bytes: [UInt8] = []
        self.append(to: &bytes, indent: nil)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The value for people: indented by two spaces per level, lists of scalars on one line.
    package var pretty: String {
        var bytes: [UInt8] = []
        self.append(to: &bytes, indent: 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    private var isPlain: Bool {
        switch self {
        case .string, .integer, .boolean, .null, .written: true
        case .array, .object: false
        }
    }

    private func append(to bytes: inout [UInt8], indent: Int?) {
        switch self {
        case .string(let text): JSONText.append(text, to: &bytes)
        case .integer(let number): bytes += Array("\(number)".utf8)
        case .boolean(let value): bytes += Array("\(value)".utf8)
        case .null: bytes += Array("null".utf8)
        case .written(let text): bytes += Array(text.utf8)
        case .array(let values):
            let inner = values.allSatisfy(\.isPlain) ? nil : indent
            Self.append(values, "[", "]", to: &bytes, indent: inner, separator: indent == nil ? "," : ", ") {
                $0.append(to: &$1, indent: $2)
            }
        case .object(let members):
            Self.append(members, "{", "}", to: &bytes, indent: indent, separator: ",") { member, bytes, indent in
                JSONText.append(member.name, to: &bytes)
                bytes += Array((indent == nil ? ":" : ": ").utf8)
                member.value.append(to: &bytes, indent: indent)
            }
        }
    }

    private static func append<Element>(
        _ elements: [Element], _ open: String, _ close: String, to bytes: inout [UInt8], indent: Int?,
        separator: String, _ body: (Element, inout [UInt8], Int?) -> Void
    ) {
        bytes += Array(open.utf8)
        let inner = indent.map { $0 + 1 }
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes += Array((indent == nil ? separator : ",").utf8) }
            if let inner { bytes += Array(("\n" + String(repeating: "  ", count: inner)).utf8) }
            body(element, &bytes, inner)
        }
        if let indent, !elements.isEmpty { bytes += Array(("\n" + String(repeating: "  ", count: indent)).utf8) }
        bytes += Array(close.utf8)
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral
{
    /// Text.
    package init(stringLiteral value: String) { self = .string(value) }
    /// A whole number.
    package init(integerLiteral value: Int) { self = .integer(value) }
    /// `true` or `false`.
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    /// A list.
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}
