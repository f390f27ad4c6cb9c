extension Parser {
    /// The words that cannot name a variable or a function, but may follow a dot.
    private static let reserved: Set<String> = [
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "namespace",
        "package", "return", "var", "void", "while",
    ]
    private static let keywords: Set<String> = ["true", "false", "null", "in"]

    /// Parses a primary expression and the selectors, calls and indexes that follow it.
    mutating func member() throws(OffsetProblem) -> Node {
        var operand = try self.primary()
        while true {
            let offset = self.current.offset
            if self.take(.dot) {
                operand = try self.selector(operand)
            } else if self.take(.leftBracket) {
                let isOptional = self.take(.question)
                let key = try self.expression()
                try self.expect(.rightBracket)
                operand = try self.node(.index(operand, key, isOptional: isOptional), offset, [operand, key])
            } else if self.current.kind == .symbol(.leftBrace), Self.isTypeName(operand) {
                throw OffsetProblem(offset: offset, message: "message literals are not supported")
            } else {
                return operand
            }
        }
    }

    private static func isTypeName(_ node: Node) -> Bool {
        switch node.kind {
        case .name: true
        case .select(let operand, field: _, .plain): Self.isTypeName(operand)
        default: false
        }
    }

    private mutating func selector(_ operand: Node) throws(OffsetProblem) -> Node {
        let isOptional = self.take(.question)
        let token = self.current
        let name: String
        switch token.kind {
        case .quotedIdentifier(let quoted): name = quoted
        case .identifier(let plain) where !Self.keywords.contains(plain): name = plain
        default: throw self.unexpected("a field or function name")
        }
        self.advance()
        if isOptional {
            return try self.node(.select(operand, field: name, .optional), token.offset, [operand])
        }
        if case .identifier = token.kind, self.take(.leftParenthesis) {
            let arguments = try self.arguments(.rightParenthesis)
            return try self.call(name, operand, arguments, token.offset)
        }
        return try self.node(.select(operand, field: name, .plain), token.offset, [operand])
    }

    /// Parses expressions up to and including a closing symbol. Only lists allow a comma before it.
    private mutating func arguments(_ close: Symbol) throws(OffsetProblem) -> [Node] {
        var arguments: [Node] = []
        if self.take(close) { return [] }
        repeat { arguments.append(try self.expression()) } while self.take(.comma)
        guard self.take(close) else { throw self.unexpected("\",\" or \"\(close.rawValue)\"") }
        return arguments
    }

    private mutating func primary() throws(OffsetProblem) -> Node {
        let token = self.current
        switch token.kind {
        case .symbol(.leftParenthesis):
            self.advance()
            let inner = try self.expression()
            try self.expect(.rightParenthesis)
            return inner
        case .symbol(.leftBracket):
            self.advance()
            return try self.list(token.offset)
        case .symbol(.leftBrace):
            self.advance()
            return try self.map(token.offset)
        case .symbol(.minus):
            self.advance()
            return try self.literal(self.current, isNegative: true, token.offset)
        case .symbol(.dot):
            self.advance()
            guard case .identifier = self.current.kind else { throw self.unexpected("a name") }
            return try self.name(isRoot: true)
        case .identifier("true"):
            self.advance()
            return try self.node(.literal(.bool(true)), token.offset)
        case .identifier("false"):
            self.advance()
            return try self.node(.literal(.bool(false)), token.offset)
        case .identifier("null"):
            self.advance()
            return try self.node(.literal(.null), token.offset)
        case .identifier("in"): throw self.unexpected("an expression")
        case .identifier: return try self.name(isRoot: false)
        case .quotedIdentifier, .symbol, .end: throw self.unexpected("an expression")
        case .integer, .double, .string, .bytes:
            return try self.literal(token, isNegative: false, token.offset)
        }
    }

    private mutating func literal(_ token: Token, isNegative: Bool, _ offset: Int) throws(OffsetProblem) -> Node {
        let value: Value
        switch token.kind {
        case .integer(let magnitude, isUnsigned: true): value = .uint(magnitude)
        case .integer(let magnitude, isUnsigned: false):
            let limit = UInt64(Int64.max) + (isNegative ? 1 : 0)
            guard magnitude <= limit else { throw OffsetProblem(offset: offset, message: "number out of range") }
            value = .int(isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude))
        case .double(let number): value = .double(isNegative ? -number : number)
        case .string(let text): value = .string(text)
        case .bytes(let bytes): value = .bytes(bytes)
        default: throw self.unexpected("an expression")
        }
        self.advance()
        return try self.node(.literal(value), offset)
    }

    private mutating func name(isRoot: Bool) throws(OffsetProblem) -> Node {
        let token = self.current
        guard case .identifier(let name) = token.kind, !Self.keywords.contains(name) else {
            throw self.unexpected("a name")
        }
        if Self.reserved.contains(name) {
            throw OffsetProblem(offset: token.offset, message: "\"\(name)\" is a reserved word")
        }
        self.advance()
        if self.take(.leftParenthesis) {
            let arguments = try self.arguments(.rightParenthesis)
            return try self.call(isRoot ? "." + name : name, nil, arguments, token.offset)
        }
        return try self.node(.name(name, isRoot: isRoot), token.offset)
    }

    private mutating func list(_ offset: Int) throws(OffsetProblem) -> Node {
        var elements: [Node.Element] = []
        while !self.take(.rightBracket) {
            let isOptional = self.take(.question)
            elements.append(Node.Element(value: try self.expression(), isOptional: isOptional))
            if !self.take(.comma), self.current.kind != .symbol(.rightBracket) {
                throw self.unexpected("\",\" or \"]\"")
            }
        }
        return try self.node(.list(elements), offset, elements.map(\.value))
    }

    private mutating func map(_ offset: Int) throws(OffsetProblem) -> Node {
        var pairs: [Node.Pair] = []
        while !self.take(.rightBrace) {
            let isOptional = self.take(.question)
            let key = try self.expression()
            try self.expect(.colon)
            pairs.append(Node.Pair(key: key, value: try self.expression(), isOptional: isOptional))
            if !self.take(.comma), self.current.kind != .symbol(.rightBrace) {
                throw self.unexpected("\",\" or \"}\"")
            }
        }
        return try self.node(.map(pairs), offset, pairs.flatMap { [$0.key, $0.value] })
    }
}
