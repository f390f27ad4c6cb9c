extension Compiler {
    /// Compiles a call.
    mutating func call(_ name: String, _ target: Node?, _ arguments: [Node], _ offset: Int) -> Part {
        if let target, let function = self.namespaced(name, target) {
            return self.call(function, nil, arguments, offset)
        }
        let name = name.hasPrefix(".") ? String(name.dropFirst()) : name
        let known = target == nil ? self.qualified(name) : [name]
        guard let function = known.lazy.compactMap({ Declarations.named[$0] }).first else {
            if let form = Parser.macroForm(name) {
                // Arguments of a macro are not operands: one may be the name of a variable.
                self.report(offset, "expected the form \(form)")
                if let target { _ = self.compile(target) }
                return self.failure("macro \"\(name)\" in another form")
            }
            var names = Declarations.named.keys.filter { $0.first != "_" && $0.last != "_" }.sorted()
            names += ["has", "all", "exists", "exists_one", "filter", "map"]
            self.report(offset, "unknown function \"\(name)\"\(Nearest.hint(name, among: names))")
            // The operands are compiled for the mistakes in them.
            for argument in arguments + (target.map { [$0] } ?? []) { _ = self.compile(argument) }
            return self.failure("unknown function \"\(name)\"")
        }
        return self.call(function, target, arguments, offset)
    }

    /// The function that a receiver-style call names with its namespace: `math.abs(x)`.
    private func namespaced(_ name: String, _ target: Node) -> Function? {
        guard case .name(let namespace, isRoot: _) = target.kind,
            !self.locals.contains(where: { $0.name == namespace })
        else { return nil }
        return Declarations.named["\(namespace).\(name)"]
    }

    private mutating func call(_ function: Function, _ target: Node?, _ arguments: [Node], _ offset: Int) -> Part {
        let operands = ((target.map { [$0] } ?? []) + arguments).map { self.compile($0) }
        let type: ExpressionType
        if function == .greatest || function == .least {
            type = self.extremum(function, operands, arguments)
        } else {
            type = self.result(function, target != nil, operands.map(\.type), offset)
        }
        if function == .dyn, operands.count == 1 { return (operands[0].at, .dyn) }
        if let constant = self.fold(function, operands) { return (constant, type) }
        if self.environment.checksLiterals { self.checkLiteral(function, operands, arguments) }
        if function == .matches, operands.count == 2, case .string(let text)? = self.builder.value(operands[1].at) {
            return self.matches(operands[0], text, arguments[arguments.count - 1].offset)
        }
        let instruction: Instruction
        switch operands.count {
        case 1: instruction = Instruction(operation: .unary, function: function, a: operands[0].at)
        case 2:
            let operation = self.operation(function, operands[0].type, operands[1].type)
            instruction = Instruction(
                operation: operation, function: function, a: operands[0].at, b: operands[1].at)
        default:
            let first = self.builder.list(operands.map(\.at))
            instruction = Instruction(operation: .call, function: function, a: first, b: Int32(operands.count))
        }
        return (self.builder.add(instruction), type)
    }

    /// The operation for a function of two arguments: a faster one for arithmetic on ints or doubles.
    private func operation(
        _ function: Function, _ left: ExpressionType, _ right: ExpressionType
    ) -> Instruction.Operation {
        let type = self.types.resolve(left)
        guard type == self.types.resolve(right), type == .int || type == .double else { return .binary }
        switch function {
        case .add, .subtract, .multiply, .divide: return type == .int ? .intArithmetic : .doubleArithmetic
        case .modulo: return .intArithmetic
        case .less, .lessOrEqual, .greater, .greaterOrEqual, .equal, .notEqual:
            return type == .int ? .intComparison : .doubleComparison
        default: return .binary
        }
    }

    /// Compiles a match against a constant pattern.
    private mutating func matches(_ text: Part, _ source: String, _ offset: Int) -> Part {
        do throws(PatternError) {
            self.builder.patterns.append(try Pattern(source))
        } catch {
            self.report(offset, "invalid regular expression: \(error.message)")
            return self.failure("invalid regular expression: \(error.message)")
        }
        let pattern = Int32(self.builder.patterns.count - 1)
        return (self.builder.add(Instruction(operation: .matches, a: text.at, b: pattern)), .bool)
    }

    /// Evaluates a call of constants. What fails is left to the evaluation, where `||` and `&&` may absorb it.
    private mutating func fold(_ function: Function, _ operands: [Part]) -> Int32? {
        let values = operands.compactMap { self.builder.value($0.at) }
        guard !values.isEmpty, values.count == operands.count else { return nil }
        var meter = CostMeter(remaining: ExpressionLimits.length)
        guard let value = try? Functions.apply(function, values, &meter, nil) else { return nil }
        switch value {
        case .string(let text) where text.utf8.count > ExpressionLimits.length: return nil
        case .ip, .cidr, .optional: return nil
        default: return self.builder.constant(value)
        }
    }

    /// Reports a text that cannot be converted to the type that it is written for.
    private mutating func checkLiteral(_ function: Function, _ operands: [Part], _ arguments: [Node]) {
        guard [.duration, .timestamp, .ip, .cidr].contains(function), operands.count == 1, arguments.count == 1,
            case .string(let text)? = self.builder.value(operands[0].at)
        else { return }
        var meter = CostMeter(remaining: ExpressionLimits.length)
        do throws(EvaluationError) {
            _ = try Functions.apply(function, [.string(text)], &meter, nil)
        } catch {
            let hint =
                switch function {
                case .duration: " such as 1h30m or 250ms"
                case .timestamp: " such as 2026-11-30T12:00:00Z"
                default: ""
                }
            self.report(arguments[0].offset, error.message + hint)
        }
    }

    /// Finds the forms of a function that take the arguments and returns their result type.
    private mutating func result(
        _ function: Function, _ isMember: Bool, _ arguments: [ExpressionType], _ offset: Int
    ) -> ExpressionType {
        let forms = (Declarations.overloads[function] ?? []).filter { $0.isMember == isMember }
        var found: [(result: ExpressionType, types: Substitution)] = []
        for form in forms where form.parameters.count == arguments.count {
            var types = self.types
            var fresh: [Int: ExpressionType] = [:]
            let parameters = form.parameters.map { types.instantiate($0, &fresh) }
            let result = types.instantiate(form.result, &fresh)
            if zip(arguments, parameters).allSatisfy({ types.assign($0, to: $1) }) { found.append((result, types)) }
        }
        guard let first = found.first else {
            self.report(offset, self.mismatch(function, isMember, arguments, forms))
            // The result of a call that cannot be is only known if all forms have the same; another mistake that just
            // follows from this one is not reported.
            let results = Set(forms.map(\.result))
            return results.count == 1 && !Self.hasParameter(forms[0].result) ? forms[0].result : .dyn
        }
        if found.count == 1 {
            self.types = first.types
            return self.types.resolve(first.result)
        }
        let results = found.map { $0.types.resolve($0.result) }
        return results.allSatisfy { $0 == results[0] } && !Self.hasParameter(results[0]) ? results[0] : .dyn
    }

    private static func hasParameter(_ type: ExpressionType) -> Bool {
        switch type {
        case .parameter: true
        case .list(let inner), .optional(let inner): Self.hasParameter(inner)
        case .map(let key, let value): Self.hasParameter(key) || Self.hasParameter(value)
        default: false
        }
    }

    private func mismatch(
        _ function: Function, _ isMember: Bool, _ arguments: [ExpressionType], _ forms: [Overload]
    ) -> String {
        let given = arguments.map { self.types.resolve($0).description }
        let counts = Set(forms.map { $0.parameters.count - ($0.isMember ? 1 : 0) }).sorted()
        if forms.isEmpty {
            return isMember
                ? "\(function.displayName) is not called on a value" : "\(function.displayName) is called on a value"
        }
        let count = arguments.count - (isMember ? 1 : 0)
        if !counts.contains(count) {
            let expected = counts.map(String.init).joined(separator: " or ")
            return "\(function.displayName) takes \(expected) argument\(counts == [1] ? "" : "s"), found \(count)"
        }
        if [.equal, .notEqual].contains(function) || function.isOrder {
            return "\(function.displayName) cannot compare \(given[0]) with \(given[given.count - 1])"
        }
        return "\(function.displayName) does not take (\(given.joined(separator: ", ")))"
    }

    /// Checks the arguments of `math.greatest` and `math.least`: numbers, or one list of them.
    private mutating func extremum(_ function: Function, _ operands: [Part], _ nodes: [Node]) -> ExpressionType {
        var types = operands.map { self.types.resolve($0.type) }
        if types.count == 1, case .list(let element) = types[0] { types = [self.types.resolve(element)] }
        if types.isEmpty { self.report(0, "\(function.displayName) takes at least one argument") }
        for (type, node) in zip(types, nodes) {
            switch type {
            case .int, .uint, .double, .dyn, .parameter: break
            default: self.report(node.offset, "\(function.displayName) takes numbers, found \(type)")
            }
        }
        return types.allSatisfy { $0 == types[0] } ? types.first ?? .dyn : .dyn
    }
}
