/// A token of an expression.
struct Token {
    /// The kind of a token.
    enum Kind: Equatable {
        case identifier(String)
        /// A name in backquotes, which may only follow a dot.
        case quotedIdentifier(String)
        /// An integer's magnitude and whether it had a `u` suffix.
        case integer(UInt64, isUnsigned: Bool)
        case double(Double)
        case string(String)
        case bytes([UInt8])
        case symbol(Symbol)
        case end
    }

    /// The kind and its value.
    var kind: Kind
    /// The offset of the first byte.
    var offset: Int
    /// The offset after the last byte.
    var end: Int
}

/// An operator or a punctuation mark.
enum Symbol: String, CaseIterable {
    case equal = "=="
    case notEqual = "!="
    case lessOrEqual = "<="
    case greaterOrEqual = ">="
    case and = "&&"
    case or = "||"
    case less = "<"
    case greater = ">"
    case plus = "+"
    case minus = "-"
    case times = "*"
    case divide = "/"
    case modulo = "%"
    case not = "!"
    case question = "?"
    case colon = ":"
    case comma = ","
    case dot = "."
    case leftParenthesis = "("
    case rightParenthesis = ")"
    case leftBracket = "["
    case rightBracket = "]"
    case leftBrace = "{"
    case rightBrace = "}"

    /// The symbols of one and two characters with their bytes.
    static let table: [(bytes: [UInt8], symbol: Symbol)] = Self.allCases.map { (Array($0.rawValue.utf8), $0) }
}

extension Token.Kind: CustomStringConvertible {
    /// The token as an error message names it.
    var description: String {
        switch self {
        case .identifier(let name), .quotedIdentifier(let name): "\"\(name)\""
        case .integer(let value, _): "\(value)"
        case .double(let value): "\(value)"
        case .string, .bytes: "a string"
        case .symbol(let symbol): "\"\(symbol.rawValue)\""
        case .end: "the end of the expression"
        }
    }
}
