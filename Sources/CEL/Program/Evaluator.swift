/// The changing part of an evaluation.
struct EvaluationState {
    /// The work that may still be done.
    var meter: CostMeter
    /// The local variables.
    var locals: [Value]
    /// The errors of the local variables of `cel.bind` whose value is one, or `nil` if there was none so far.
    var failures: [Int: EvaluationError]?

    init(limit: Int, locals: Int) {
        self.meter = CostMeter(remaining: limit)
        self.locals = locals == 0 ? [] : Array(repeating: .null, count: locals)
    }
}

extension Code {
    /// Evaluates an instruction.
    func evaluate<Source: VariableSource & ~Copyable>(
        _ at: Int32, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Value {
        try state.meter.charge(1)
        let instruction = self.instructions[Int(at)]
        switch instruction.operation {
        case .constant: return self.constants[Int(instruction.a)]
        case .variable:
            if let value = try source.value(of: Int(instruction.a)) { return value }
            throw .missing(self.names[Int(instruction.b)])
        case .local:
            if let failure = state.failures?[Int(instruction.a)] { throw failure }
            return state.locals[Int(instruction.a)]
        case .hasVariable, .textIn, .numberIn, .and, .or, .intComparison, .doubleComparison:
            return .bool(try self.bool(instruction, &state, source))
        case .fail: throw EvaluationError(self.names[Int(instruction.a)])
        case .conditional:
            guard let test = try self.condition(instruction.a, &state, source) else {
                throw EvaluationError("no such overload: the condition of \"?:\" is not a bool")
            }
            return try self.evaluate(test ? instruction.b : instruction.c, &state, source)
        case .unary:
            let operand = try self.evaluate(instruction.a, &state, source)
            return try Functions.apply(instruction.function, operand, &state.meter)
        case .binary:
            let left = try self.evaluate(instruction.a, &state, source)
            let right = try self.evaluate(instruction.b, &state, source)
            return try Functions.apply(instruction.function, left, right, &state.meter, self.timeZone)
        case .intArithmetic: return .int(try self.integer(instruction, &state, source))
        case .doubleArithmetic: return .double(try self.double(instruction, &state, source))
        case .call:
            let arguments = try self.values(instruction, &state, source)
            return try Functions.apply(instruction.function, arguments, &state.meter, self.timeZone)
        case .matches: return try self.matches(instruction, &state, source)
        case .select, .optionalSelect, .hasField, .index, .optionalIndex:
            return try self.access(instruction, &state, source)
        case .list: return try self.list(instruction, &state, source)
        case .map: return try self.map(instruction, &state, source)
        case .comprehension: return try self.comprehension(instruction, &state, source)
        case .bind: return try self.bind(instruction, &state, source)
        case .optionalMap, .optionalFlatMap: return try self.optionalMap(instruction, &state, source)
        }
    }

    /// Evaluates an instruction whose value is a bool, without making a value if that is known from the operation.
    ///
    /// - Returns: `nil` if the value is not a bool.
    func condition<Source: VariableSource & ~Copyable>(
        _ at: Int32, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Bool? {
        let instruction = self.instructions[Int(at)]
        guard instruction.operation.isBool else {
            guard case .bool(let value) = try self.evaluate(at, &state, source) else { return nil }
            return value
        }
        try state.meter.charge(1)
        return try self.bool(instruction, &state, source)
    }

    /// Evaluates an instruction whose operation always gives a bool.
    private func bool<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Bool {
        switch instruction.operation {
        case .hasVariable: try source.has(Int(instruction.a))
        case .and, .or: try self.logic(instruction, &state, source)
        case .intComparison, .doubleComparison: try self.comparison(instruction, &state, source)
        default: self.holds(instruction, source)
        }
    }

    private func holds<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ source: borrowing Source
    ) -> Bool {
        let variable = Int(instruction.a)
        guard instruction.operation == .textIn else {
            return source.number(of: variable).map { self.ranges[Int(instruction.b)].contains($0) } ?? false
        }
        // Uses indices: iterating over the array itself would retain each text.
        let list = self.texts[Int(instruction.b)]
        let texts = list.span
        for index in texts.indices where source.text(of: variable, equals: texts[index]) { return true }
        return false
    }

    private func values<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(Int(instruction.b))
        for index in Int(instruction.a)..<Int(instruction.a + instruction.b) {
            values.append(try self.evaluate(self.operands[index], &state, source))
        }
        return values
    }

    /// `&&` and `||`: one operand that decides the result absorbs the errors of all others.
    private func logic<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Bool {
        let deciding = instruction.operation == .or
        var failure: EvaluationError?
        for index in Int(instruction.a)..<Int(instruction.a + instruction.b) {
            do throws(EvaluationError) {
                guard let value = try self.condition(self.operands[index], &state, source) else {
                    throw EvaluationError(
                        "no such overload: an operand of \"\(deciding ? "||" : "&&")\" is not a bool")
                }
                if value == deciding { return deciding }
            } catch {
                if error.isCostLimit { throw error }
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return !deciding
    }

    private func matches<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Value {
        let value = try self.evaluate(instruction.a, &state, source)
        guard case .string(let text) = value else { throw .expected("a string for \"matches\"", value) }
        return .bool(try self.patterns[Int(instruction.b)].matches(text, &state.meter))
    }

    private func access<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Value {
        let container = try self.evaluate(instruction.a, &state, source)
        switch instruction.operation {
        case .select: return try Elements.value(container, .string(self.names[Int(instruction.b)]), isIndex: false)
        case .optionalSelect:
            let name = Value.string(self.names[Int(instruction.b)])
            return .optional(try Elements.optional(container, name, isIndex: false))
        case .hasField: return .bool(try Elements.has(container, self.names[Int(instruction.b)]))
        case .index:
            return try Elements.value(container, self.evaluate(instruction.b, &state, source), isIndex: true)
        default:
            let key = try self.evaluate(instruction.b, &state, source)
            return .optional(try Elements.optional(container, key, isIndex: true))
        }
    }

    private func list<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Value {
        var values: [Value] = []
        values.reserveCapacity(Int(instruction.b))
        for index in Int(instruction.a)..<Int(instruction.a + instruction.b) {
            let operand = self.operands[index]
            let value = try self.evaluate(operand < 0 ? ~operand : operand, &state, source)
            if operand >= 0 {
                values.append(value)
            } else {
                guard case .optional(let optional) = value else { throw .expected("an optional after \"?\"", value) }
                if let wrapped = optional.wrapped { values.append(wrapped) }
            }
        }
        try state.meter.charge(containing: values)
        return .list(values)
    }

    private func map<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Value {
        var map = MapValue()
        for pair in 0..<Int(instruction.b) {
            let operand = self.operands[Int(instruction.a) + pair * 2]
            let key = try self.evaluate(operand < 0 ? ~operand : operand, &state, source)
            var value = try self.evaluate(self.operands[Int(instruction.a) + pair * 2 + 1], &state, source)
            if operand < 0 {
                guard case .optional(let optional) = value else { throw .expected("an optional after \"?\"", value) }
                guard let wrapped = optional.wrapped else { continue }
                value = wrapped
            }
            try Self.add(key, value, to: &map, &state.meter)
        }
        return .map(map)
    }

    /// Adds a pair to a map that is being made.
    static func add(
        _ key: Value, _ value: Value, to map: inout MapValue, _ meter: inout CostMeter
    ) throws(EvaluationError) {
        try meter.charge(nested: key)
        try meter.charge(nested: value)
        if map.add(key, value) { return }
        switch key {
        case .bool, .int, .uint, .string: throw EvaluationError("repeated map key")
        default: throw EvaluationError("unsupported map key type \(key.typeName.rawValue)")
        }
    }

    private func optionalMap<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Value {
        let target = try self.evaluate(instruction.a, &state, source)
        guard case .optional(let optional) = target else { throw .expected("an optional", target) }
        guard let wrapped = optional.wrapped else { return .optional(.none) }
        state.locals[Int(instruction.c)] = wrapped
        let result = try self.evaluate(instruction.b, &state, source)
        guard instruction.operation == .optionalFlatMap else { return .optional(OptionalValue(result)) }
        guard case .optional = result else { throw .expected("an optional from optFlatMap", result) }
        return result
    }
}
