/// Builds the syntax tree of an expression by recursive descent.
struct Parser {
    private let tokens: [Token]
    private var position = 0
    /// The number of nested calls, bounded by `ExpressionLimits.nesting`.
    private var depth = 0

    /// Parses a whole expression.
    static func parse(_ text: String) throws(OffsetProblem) -> Node {
        guard text.utf8.count <= ExpressionLimits.length else {
            throw OffsetProblem(
                offset: ExpressionLimits.length, message: "expression longer than \(ExpressionLimits.length) bytes")
        }
        var parser = Parser(tokens: try Lexer.tokens(of: text))
        let node = try parser.expression()
        guard parser.current.kind == .end else { throw parser.unexpected("an operator") }
        return node
    }

    private init(tokens: [Token]) { self.tokens = tokens }

    /// The next token.
    var current: Token { self.tokens[self.position] }

    /// Moves past the next token, unless it is the end.
    mutating func advance() { if self.position + 1 < self.tokens.count { self.position += 1 } }

    /// Moves past the next token if it is this symbol.
    mutating func take(_ symbol: Symbol) -> Bool {
        guard self.current.kind == .symbol(symbol) else { return false }
        self.advance()
        return true
    }

    /// Moves past a symbol that must come next.
    mutating func expect(_ symbol: Symbol) throws(OffsetProblem) {
        guard self.take(symbol) else { throw self.unexpected("\"\(symbol.rawValue)\"") }
    }

    /// The problem that something else was expected in place of the next token.
    func unexpected(_ expected: String) -> OffsetProblem {
        let previous = self.position > 0 ? self.tokens[self.position - 1].kind : .end
        let hint =
            switch (previous, self.current.kind) {
            case (_, .identifier("and")): " (did you mean \"&&\"?)"
            case (_, .identifier("or")): " (did you mean \"||\"?)"
            case (.identifier("not"), _): " (did you mean \"!\"?)"
            default: ""
            }
        return OffsetProblem(
            offset: self.current.offset, message: "expected \(expected), found \(self.current.kind)\(hint)")
    }

    /// Makes a node and checks its height.
    func node(_ kind: Node.Kind, _ offset: Int, _ below: [Node] = []) throws(OffsetProblem) -> Node {
        let height = (below.lazy.map(\.height).max() ?? 0) + 1
        guard height <= ExpressionLimits.nesting else { throw Self.tooDeep(offset) }
        return Node(kind: kind, offset: offset, height: height)
    }

    private static func tooDeep(_ offset: Int) -> OffsetProblem {
        OffsetProblem(offset: offset, message: "expression nested more than \(ExpressionLimits.nesting) levels deep")
    }

    /// Parses an expression, starting with the operator that binds least: `?:`.
    mutating func expression() throws(OffsetProblem) -> Node {
        self.depth += 1
        defer { self.depth -= 1 }
        guard self.depth <= ExpressionLimits.nesting else { throw Self.tooDeep(self.current.offset) }
        let condition = try self.logic(isAnd: false)
        let offset = self.current.offset
        guard self.take(.question) else { return condition }
        let first = try self.logic(isAnd: false)
        try self.expect(.colon)
        let second = try self.expression()
        return try self.node(.conditional(condition, first, second), offset, [condition, first, second])
    }

    private mutating func logic(isAnd: Bool) throws(OffsetProblem) -> Node {
        var operands = [isAnd ? try self.relation() : try self.logic(isAnd: true)]
        let offset = self.current.offset
        while self.take(isAnd ? .and : .or) {
            operands.append(isAnd ? try self.relation() : try self.logic(isAnd: true))
        }
        if operands.count == 1 { return operands[0] }
        return try self.node(.logic(isAnd: isAnd, operands), offset, operands)
    }

    private mutating func relation() throws(OffsetProblem) -> Node {
        var left = try self.sum()
        while true {
            let offset = self.current.offset
            guard let name = self.relationName() else { return left }
            self.advance()
            let right = try self.sum()
            left = try self.node(.call(name, target: nil, [left, right]), offset, [left, right])
        }
    }

    private func relationName() -> String? {
        switch self.current.kind {
        case .symbol(.equal), .symbol(.notEqual), .symbol(.less), .symbol(.lessOrEqual), .symbol(.greater),
            .symbol(.greaterOrEqual):
            if case .symbol(let symbol) = self.current.kind { return "_\(symbol.rawValue)_" }
            return nil
        case .identifier("in"): return "_in_"
        default: return nil
        }
    }

    private mutating func sum() throws(OffsetProblem) -> Node {
        var left = try self.product()
        while true {
            let offset = self.current.offset
            let name: String
            if self.take(.plus) { name = "_+_" } else if self.take(.minus) { name = "_-_" } else { return left }
            let right = try self.product()
            left = try self.node(.call(name, target: nil, [left, right]), offset, [left, right])
        }
    }

    private mutating func product() throws(OffsetProblem) -> Node {
        var left = try self.unary()
        while true {
            let offset = self.current.offset
            let name: String
            if self.take(.times) {
                name = "_*_"
            } else if self.take(.divide) {
                name = "_/_"
            } else if self.take(.modulo) {
                name = "_%_"
            } else {
                return left
            }
            let right = try self.unary()
            left = try self.node(.call(name, target: nil, [left, right]), offset, [left, right])
        }
    }

    private mutating func unary() throws(OffsetProblem) -> Node {
        let symbol: Symbol
        switch self.current.kind {
        case .symbol(.not): symbol = .not
        case .symbol(.minus): symbol = .minus
        default: return try self.member()
        }
        var offsets: [Int] = []
        while self.current.kind == .symbol(symbol) {
            // A minus sign directly before a number belongs to the literal, so that the least int can be written.
            if symbol == .minus, self.isNegativeNumber { break }
            offsets.append(self.current.offset)
            self.advance()
        }
        var operand = try self.member()
        for offset in offsets.reversed() {
            operand = try self.node(.call(symbol == .not ? "!_" : "-_", target: nil, [operand]), offset, [operand])
        }
        return operand
    }

    private var isNegativeNumber: Bool {
        switch self.tokens[min(self.position + 1, self.tokens.count - 1)].kind {
        case .integer(_, isUnsigned: false), .double: true
        default: false
        }
    }
}
