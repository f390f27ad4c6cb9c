extension Compiler {
    /// Compiles with local variables in scope.
    private mutating func scope<Result>(
        _ variables: [(String, ExpressionType)], _ body: (inout Compiler, Int) -> Result
    ) -> Result {
        let slot = self.locals.last.map { $0.slot + 1 } ?? 0
        for (index, variable) in variables.enumerated() {
            self.locals.append(Local(name: variable.0, type: variable.1, slot: slot + index))
        }
        self.builder.localCount = max(self.builder.localCount, slot + variables.count)
        let result = body(&self, slot)
        self.locals.removeLast(variables.count)
        return result
    }

    /// Compiles a comprehension.
    mutating func comprehension(_ node: Node.Comprehension) -> Part {
        let range = self.compile(node.range)
        let isPair = node.variables.count == 2
        let types: [ExpressionType]
        var key = ExpressionType.dyn
        switch self.types.resolve(range.type) {
        case .list(let element):
            types = isPair ? [.int, element] : [element]
            key = .int
        case .map(let keys, let value):
            types = isPair ? [keys, value] : [keys]
            key = keys
        case .dyn, .parameter: types = [.dyn, .dyn]
        case let other:
            self.report(node.range.offset, "expected a list or a map, found \(other)")
            types = [.dyn, .dyn]
        }
        let variables = Array(zip(node.variables, types))
        let (code, transform) = self.scope(variables) { compiler, slot in
            let condition = node.condition.map { compiler.compile($0, as: .bool, "the condition of a macro") }
            let transform = node.transform.map { compiler.compile($0) }
            let code = ComprehensionCode(
                kind: node.kind, variableCount: node.variables.count, local: slot, condition: condition ?? -1,
                transform: transform?.at ?? -1)
            return (code, transform?.type ?? .dyn)
        }
        self.builder.comprehensions.append(code)
        let number = Int32(self.builder.comprehensions.count - 1)
        let at = self.builder.add(Instruction(operation: .comprehension, a: range.at, b: number))
        return (at, self.result(node, types[0], key, transform))
    }

    private mutating func result(
        _ node: Node.Comprehension, _ element: ExpressionType, _ key: ExpressionType, _ transform: ExpressionType
    ) -> ExpressionType {
        switch node.kind {
        case .all, .exists, .existsOne: return .bool
        case .filter: return .list(element)
        case .map: return .list(transform)
        case .transformMap: return .map(key, transform)
        case .transformMapEntry:
            let type = self.types.resolve(transform)
            switch type {
            case .map: return type
            case .dyn, .parameter: return .map(.dyn, .dyn)
            default:
                self.report(node.transform?.offset ?? 0, "transformMapEntry must make a map, found \(type)")
                return .map(.dyn, .dyn)
            }
        }
    }

    /// Compiles `cel.bind`.
    mutating func bind(_ name: String, _ value: Node, _ body: Node) -> Part {
        let value = self.compile(value)
        return self.scope([(name, value.type)]) { compiler, slot in
            let body = compiler.compile(body)
            let instruction = Instruction(operation: .bind, a: value.at, b: body.at, c: Int32(slot))
            return (compiler.builder.add(instruction), body.type)
        }
    }

    /// Compiles `optMap` and `optFlatMap`.
    mutating func optionalMap(_ target: Node, _ name: String, _ body: Node, _ isFlat: Bool) -> Part {
        let value = self.compile(target)
        let type = self.unwrapped(value.type, target.offset)
        return self.scope([(name, type)]) { compiler, slot in
            let result = compiler.compile(body)
            let instruction = Instruction(
                operation: isFlat ? .optionalFlatMap : .optionalMap, a: value.at, b: result.at, c: Int32(slot))
            let type: ExpressionType =
                isFlat ? .optional(compiler.unwrapped(result.type, body.offset)) : .optional(result.type)
            return (compiler.builder.add(instruction), type)
        }
    }
}
