/// Checks names and types of a syntax tree and makes the compiled form, in one pass.
struct Compiler {
    /// A compiled part: its instruction and its type.
    typealias Part = (at: Int32, type: ExpressionType)

    /// A local variable of a macro.
    struct Local {
        var name: String
        var type: ExpressionType
        var slot: Int
    }

    /// The variables and options.
    let environment: ExpressionEnvironment
    /// The compiled form so far.
    var builder = CodeBuilder()
    /// The types of type parameters.
    var types = Substitution()
    /// The mistakes so far.
    var problems: [OffsetProblem] = []
    /// The local variables, the innermost last.
    var locals: [Local] = []

    init(_ environment: ExpressionEnvironment) { self.environment = environment }

    /// Adds a mistake, unless names and types are not checked.
    mutating func report(_ offset: Int, _ message: String) {
        guard self.environment.isChecked, self.problems.count < ExpressionLimits.problems else { return }
        self.problems.append(OffsetProblem(offset: offset, message: message))
    }

    /// Adds an instruction that always throws.
    mutating func failure(_ message: String) -> Part {
        (self.builder.add(Instruction(operation: .fail, a: self.builder.name(message))), .dyn)
    }

    /// Compiles a node.
    mutating func compile(_ node: Node) -> Part {
        switch node.kind {
        case .literal(let value): (self.builder.constant(value), Self.type(of: value))
        case .name, .select(_, _, .plain): self.path(node)
        case .select(let operand, let field, let access): self.select(operand, field, access, node.offset)
        case .index(let operand, let key, let isOptional): self.index(operand, key, isOptional, node.offset)
        case .call(let name, let target, let arguments): self.call(name, target, arguments, node.offset)
        case .list(let elements): self.list(elements)
        case .map(let pairs): self.map(pairs)
        case .logic(let isAnd, let operands): self.logic(isAnd, operands)
        case .conditional(let condition, let first, let second):
            self.conditional(condition, first, second, node.offset)
        case .comprehension(let comprehension): self.comprehension(comprehension)
        case .bind(let name, let value, let body): self.bind(name, value, body)
        case .optionalMap(let target, let name, let body, let isFlat):
            self.optionalMap(target, name, body, isFlat)
        case .hasName(let name): self.hasName(name, node.offset)
        }
    }

    /// The type of a literal.
    static func type(of value: Value) -> ExpressionType {
        switch value {
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        default: .dyn
        }
    }

    /// Compiles a node that must be of a type.
    mutating func compile(_ node: Node, as type: ExpressionType, _ what: String) -> Int32 {
        let part = self.compile(node)
        if !self.types.assign(part.type, to: type) {
            self.report(node.offset, "\(what) must be \(type), found \(self.types.resolve(part.type))")
        }
        return part.at
    }

    /// Returns the type of values of both types: `dyn` if they differ.
    mutating func join(_ first: ExpressionType, _ second: ExpressionType) -> ExpressionType {
        let (first, second) = (self.types.resolve(first), self.types.resolve(second))
        if first == .dyn || second == .dyn { return .dyn }
        return self.types.assign(second, to: first) ? self.types.resolve(first == .null ? second : first) : .dyn
    }

    private mutating func list(_ elements: [Node.Element]) -> Part {
        var type: ExpressionType?
        var operands: [Int32] = []
        for element in elements {
            var part = self.compile(element.value)
            if element.isOptional { part.type = self.unwrapped(part.type, element.value.offset) }
            operands.append(element.isOptional ? ~part.at : part.at)
            type = type.map { self.join($0, part.type) } ?? part.type
        }
        let result = ExpressionType.list(type ?? self.types.fresh())
        let constants = operands.map { $0 < 0 ? nil : self.builder.value($0) }
        if !constants.contains(where: { $0 == nil }) {
            return (self.builder.constant(.list(constants.compactMap { $0 })), result)
        }
        let first = self.builder.list(operands)
        return (self.builder.add(Instruction(operation: .list, a: first, b: Int32(operands.count))), result)
    }

    private mutating func map(_ pairs: [Node.Pair]) -> Part {
        var types: (key: ExpressionType, value: ExpressionType)?
        var operands: [Int32] = []
        for pair in pairs {
            let key = self.compile(pair.key)
            var value = self.compile(pair.value)
            if pair.isOptional { value.type = self.unwrapped(value.type, pair.value.offset) }
            operands += [pair.isOptional ? ~key.at : key.at, value.at]
            self.checkKey(key.type, pair.key.offset)
            types =
                types.map { (self.join($0.key, key.type), self.join($0.value, value.type)) } ?? (key.type, value.type)
        }
        let result = ExpressionType.map(types?.key ?? self.types.fresh(), types?.value ?? self.types.fresh())
        var constant: MapValue? = MapValue()
        for index in stride(from: 0, to: operands.count, by: 2) {
            guard operands[index] >= 0, let key = self.builder.value(operands[index]),
                let value = self.builder.value(operands[index + 1]), constant?.add(key, value) ?? false
            else {
                constant = nil
                break
            }
        }
        if let constant { return (self.builder.constant(.map(constant)), result) }
        let first = self.builder.list(operands)
        return (self.builder.add(Instruction(operation: .map, a: first, b: Int32(pairs.count))), result)
    }

    private mutating func checkKey(_ type: ExpressionType, _ offset: Int) {
        switch self.types.resolve(type) {
        case .bool, .int, .uint, .string, .dyn, .parameter: break
        case let other: self.report(offset, "a map key must be bool, int, uint or string, found \(other)")
        }
    }

    /// The type of what an optional contains.
    mutating func unwrapped(_ type: ExpressionType, _ offset: Int) -> ExpressionType {
        switch self.types.resolve(type) {
        case .optional(let wrapped): return wrapped
        case .dyn, .parameter: return .dyn
        case let other:
            self.report(offset, "expected an optional, found \(other)")
            return .dyn
        }
    }

    private mutating func logic(_ isAnd: Bool, _ operands: [Node]) -> Part {
        let name = isAnd ? "\"&&\"" : "\"||\""
        let compiled = operands.map { self.compile($0, as: .bool, "operand of \(name)") }
        let first = self.builder.list(compiled)
        return (
            self.builder.add(Instruction(operation: isAnd ? .and : .or, a: first, b: Int32(compiled.count))), .bool
        )
    }

    private mutating func conditional(_ condition: Node, _ first: Node, _ second: Node, _ offset: Int) -> Part {
        let test = self.compile(condition, as: .bool, "condition of \"?:\"")
        let (yes, no) = (self.compile(first), self.compile(second))
        let (left, right) = (self.types.resolve(yes.type), self.types.resolve(no.type))
        if !self.types.assign(right, to: left) {
            self.report(offset, "branches of \"?:\" have different types: \(left) and \(right)")
        }
        return (
            self.builder.add(Instruction(operation: .conditional, a: test, b: yes.at, c: no.at)),
            self.join(left, right)
        )
    }
}
