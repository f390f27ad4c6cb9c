extension Compiler {
    /// Compiles a name, or fields of one: the longest part that names a variable or a type, then fields of its value.
    mutating func path(_ node: Node) -> Part {
        var names: [(name: String, offset: Int)] = []
        var root = node
        while case .select(let operand, let field, .plain) = root.kind {
            names.append((field, root.offset))
            root = operand
        }
        guard case .name(let name, let isRoot) = root.kind else {
            guard case .select(let operand, let field, _) = node.kind else { return self.failure("no name") }
            return self.select(operand, field, .plain, node.offset)
        }
        names.append((name, root.offset))
        names.reverse()
        let found: (part: Part, count: Int)
        if !isRoot, let local = self.locals.last(where: { $0.name == name }) {
            found = ((self.builder.add(Instruction(operation: .local, a: Int32(local.slot))), local.type), 1)
        } else if let global = self.global(names.map(\.name), isRoot: isRoot) {
            found = global
        } else {
            return self.undeclared(names, isRoot: isRoot)
        }
        var part = found.part
        for (field, offset) in names.dropFirst(found.count) { part = self.field(part, field, .plain, offset) }
        return part
    }

    /// The variable or type that the longest part of a path names, in the innermost container that has it.
    private mutating func global(_ names: [String], isRoot: Bool) -> (part: Part, count: Int)? {
        for count in (1...names.count).reversed() {
            let path = names.prefix(count).joined(separator: ".")
            for name in isRoot ? [path] : self.qualified(path) {
                if let variable = self.environment.variable(name) {
                    let kind: Int32 =
                        switch variable.type {
                        case .string: Instruction.textVariable
                        case .dyn: Instruction.dynamicVariable
                        default: 0
                        }
                    let instruction = Instruction(
                        operation: .variable, a: variable.number, b: self.builder.name(name), c: kind)
                    return ((self.builder.add(instruction), variable.type), count)
                }
                if let type = Declarations.types[name] { return ((self.builder.constant(.type(type)), .type), count) }
            }
        }
        return nil
    }

    /// The names that a name may stand for, those in the innermost container first.
    func qualified(_ name: String) -> [String] {
        var container = self.environment.container[...]
        var names: [String] = []
        while !container.isEmpty {
            names.append("\(container).\(name)")
            container = container.lastIndex(of: ".").map { container[..<$0] } ?? ""
        }
        return names + [name]
    }

    private mutating func undeclared(_ names: [(name: String, offset: Int)], isRoot: Bool) -> Part {
        let path = names.map(\.name).joined(separator: ".")
        let known = self.environment.variables.map(\.name) + self.locals.map(\.name)
        let isQualified = known.contains { $0.hasPrefix(names[0].name + ".") }
        let shown = isQualified ? path : names[0].name
        guard self.environment.isComplete else { return self.failure("unknown name \"\(shown)\"") }
        self.report(names[0].offset, "unknown name \"\(shown)\"\(Nearest.hint(shown, among: known))")
        return self.failure("unknown name \"\(shown)\"")
    }

    /// Compiles `has(name)`.
    mutating func hasName(_ name: String, _ offset: Int) -> Part {
        guard self.environment.allowsHasOfVariables else {
            self.problems.append(
                OffsetProblem(offset: offset, message: "expected a field in has(), such as has(a.b)"))
            return self.failure("has() of a name")
        }
        if self.locals.contains(where: { $0.name == name }) { return (self.builder.constant(.bool(true)), .bool) }
        for candidate in self.qualified(name) {
            if let variable = self.environment.variable(candidate) {
                return (self.builder.add(Instruction(operation: .hasVariable, a: variable.number)), .bool)
            }
        }
        _ = self.undeclared([(name, offset)], isRoot: false)
        return self.failure("unknown name \"\(name)\"")
    }

    /// Compiles `operand.?field`, `has(operand.field)` and fields of what is not a name.
    mutating func select(_ operand: Node, _ field: String, _ access: Node.Access, _ offset: Int) -> Part {
        if access == .test, self.environment.allowsHasOfVariables, let path = Self.pathText(operand),
            !self.locals.contains(where: { path.hasPrefix($0.name) }),
            let variable = self.environment.variable("\(path).\(field)")
        {
            return (self.builder.add(Instruction(operation: .hasVariable, a: variable.number)), .bool)
        }
        return self.field(self.compile(operand), field, access, offset)
    }

    private static func pathText(_ node: Node) -> String? {
        switch node.kind {
        case .name(let name, isRoot: _): name
        case .select(let operand, let field, .plain): Self.pathText(operand).map { "\($0).\(field)" }
        default: nil
        }
    }

    private mutating func field(_ operand: Part, _ field: String, _ access: Node.Access, _ offset: Int) -> Part {
        let resolved = self.types.resolve(operand.type)
        let inner: ExpressionType = if case .optional(let wrapped) = resolved { wrapped } else { resolved }
        var type = ExpressionType.dyn
        switch inner {
        case .map(let key, let value):
            type = value
            if !self.types.assign(.string, to: key) {
                self.report(offset, "keys are \(self.types.resolve(key)), not strings")
            }
        case .dyn, .parameter: break
        default: self.report(offset, "\(inner) has no field \"\(field)\"")
        }
        let operation: Instruction.Operation =
            switch access {
            case .plain: .select
            case .optional: .optionalSelect
            case .test: .hasField
            }
        if access == .test {
            type = .bool
        } else if access == .optional || inner != resolved {
            type = .optional(type)
        }
        let name = self.builder.name(field)
        return (self.builder.add(Instruction(operation: operation, a: operand.at, b: name)), type)
    }

    /// Compiles an element access.
    mutating func index(_ operand: Node, _ key: Node, _ isOptional: Bool, _ offset: Int) -> Part {
        let container = self.compile(operand)
        let key = self.compile(key)
        let resolved = self.types.resolve(container.type)
        let inner: ExpressionType = if case .optional(let wrapped) = resolved { wrapped } else { resolved }
        var type = ExpressionType.dyn
        switch inner {
        case .list(let element):
            type = element
            if !self.types.assign(key.type, to: .int) {
                self.report(offset, "a list index must be int, found \(self.types.resolve(key.type))")
            }
        case .map(let expected, let value):
            type = value
            if !self.types.assign(key.type, to: expected) {
                self.report(
                    offset,
                    "the key must be \(self.types.resolve(expected)), found \(self.types.resolve(key.type))")
            }
        case .dyn, .parameter: break
        default: self.report(offset, "\(inner) has no elements")
        }
        if isOptional || inner != resolved { type = .optional(type) }
        return (
            self.builder.add(
                Instruction(operation: isOptional ? .optionalIndex : .index, a: container.at, b: key.at)), type
        )
    }
}

/// Finds the known name that an unknown one was probably meant to be.
enum Nearest {
    /// Returns ` (did you mean "name"?)`, or nothing if no name is near.
    static func hint(_ name: String, among known: [String]) -> String {
        // A name of one letter is near any other.
        let limit = min(max(1, name.utf8.count / 3), name.utf8.count - 1)
        let near = known.map { ($0, Self.distance(name, $0, limit)) }.filter { $0.1 <= limit }.min { $0.1 < $1.1 }
        return near.map { " (did you mean \"\($0.0)\"?)" } ?? ""
    }

    /// The number of bytes to insert, remove, replace or swap to make one text the other; more than `limit` may be
    /// any number above it.
    private static func distance(_ left: String, _ right: String, _ limit: Int) -> Int {
        let (a, b) = (Array(left.utf8), Array(right.utf8))
        guard abs(a.count - b.count) <= limit, a.count <= 64, b.count <= 64 else { return limit + 1 }
        var rows = [Array(0...b.count)]
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var cost = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, rows[i - 1][j - 1] + 1) }
                row.append(cost)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
