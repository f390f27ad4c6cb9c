/// The type of an expression.
public indirect enum ExpressionType: Hashable, Sendable {
    /// A type that is only known when the expression is evaluated.
    case dyn
    case null, bool, int, uint, double, string, bytes, timestamp, duration
    /// The type of types.
    case type
    case list(ExpressionType)
    case map(ExpressionType, ExpressionType)
    case optional(ExpressionType)
    /// An IP address and an address range (network extension).
    case ip, cidr
    /// A type parameter: negative numbers in declarations, others while an expression is checked.
    case parameter(Int)

    /// Parses a type as declarations write it: `list<string>`.
    ///
    /// - Returns: The type, or `nil` if the text is none.
    public init?(_ text: String) {
        var reader = TypeReader(text)
        guard let type = reader.type(), reader.isAtEnd else { return nil }
        self = type
    }

    static let simple: [String: ExpressionType] = [
        "dyn": .dyn, "null_type": .null, "bool": .bool, "int": .int, "uint": .uint, "double": .double,
        "string": .string, "bytes": .bytes, "timestamp": .timestamp, "duration": .duration, "type": .type,
        "net.IP": .ip, "net.CIDR": .cidr, "A": .parameter(-1), "B": .parameter(-2),
    ]
    private static let names = Dictionary(uniqueKeysWithValues: Self.simple.map { ($1, $0) })
}

extension ExpressionType: CustomStringConvertible {
    /// The type as messages show it: `map<string, int>`.
    public var description: String {
        switch self {
        case .list(let element): "list<\(element)>"
        case .map(let key, let value): "map<\(key), \(value)>"
        case .optional(let wrapped): "optional<\(wrapped)>"
        case .parameter(let number) where number >= 0: "dyn"
        default: Self.names[self] ?? "dyn"
        }
    }
}

/// Reads types in the form of declarations.
struct TypeReader {
    private let text: [Character]
    private var index = 0

    init(_ text: String) { self.text = Array(text) }

    /// Whether everything was read.
    var isAtEnd: Bool { self.index == self.text.count }

    /// Reads a character if it comes next, and the blanks after it.
    mutating func take(_ character: Character) -> Bool {
        guard self.index < self.text.count, self.text[self.index] == character else { return false }
        self.index += 1
        while self.index < self.text.count, self.text[self.index] == " " { self.index += 1 }
        return true
    }

    /// Reads a name up to one of the characters that separate names.
    mutating func name() -> String {
        let start = self.index
        while self.index < self.text.count, !"<>(), @".contains(self.text[self.index]) { self.index += 1 }
        return String(self.text[start..<self.index])
    }

    /// Reads a type.
    mutating func type() -> ExpressionType? {
        let name = self.name()
        guard self.take("<") else { return ExpressionType.simple[name] }
        guard let first = self.type() else { return nil }
        var second: ExpressionType?
        if self.take(",") { second = self.type() }
        guard self.take(">") else { return nil }
        switch (name, second) {
        case ("list", nil): return .list(first)
        case ("optional", nil): return .optional(first)
        case ("map", let value?): return .map(first, value)
        default: return nil
        }
    }
}
