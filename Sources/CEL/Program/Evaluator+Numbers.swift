/// Arithmetic on numbers whose type is known when the expression is compiled: no value is made in between.
extension Code {
    /// Evaluates an instruction of type int.
    func integer<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Int64 {
        let left = try self.integer(at: instruction.a, &state, source)
        let right = try self.integer(at: instruction.b, &state, source)
        return try Arithmetic.whole(instruction.function, left, right)
    }

    private func integer<Source: VariableSource & ~Copyable>(
        at index: Int32, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Int64 {
        try state.meter.charge(1)
        let instruction = self.instructions[Int(index)]
        switch instruction.operation {
        case .intArithmetic: return try self.integer(instruction, &state, source)
        case .constant:
            guard case .int(let value) = self.constants[Int(instruction.a)] else { throw .noOverload }
            return value
        case .variable:
            if let value = try source.integer(of: Int(instruction.a)) { return value }
            throw .missing(self.names[Int(instruction.b)])
        default:
            guard case .int(let value) = try self.evaluate(index, &state, source) else { throw .noOverload }
            return value
        }
    }

    /// Evaluates an instruction of type double.
    func double<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Double {
        let left = try self.double(at: instruction.a, &state, source)
        let right = try self.double(at: instruction.b, &state, source)
        switch instruction.function {
        case .add: return left + right
        case .subtract: return left - right
        case .multiply: return left * right
        case .divide: return left / right
        default: throw .noOverload
        }
    }

    private func double<Source: VariableSource & ~Copyable>(
        at index: Int32, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Double {
        try state.meter.charge(1)
        let instruction = self.instructions[Int(index)]
        switch instruction.operation {
        case .doubleArithmetic: return try self.double(instruction, &state, source)
        case .constant:
            guard case .double(let value) = self.constants[Int(instruction.a)] else { throw .noOverload }
            return value
        case .variable:
            if let value = try source.double(of: Int(instruction.a)) { return value }
            throw .missing(self.names[Int(instruction.b)])
        default:
            guard case .double(let value) = try self.evaluate(index, &state, source) else { throw .noOverload }
            return value
        }
    }

    /// Evaluates an equality or order of two numbers of one type.
    func comparison<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Bool {
        if instruction.operation == .intComparison {
            let left = try self.integer(at: instruction.a, &state, source)
            return Self.holds(instruction.function, left, try self.integer(at: instruction.b, &state, source))
        }
        let left = try self.double(at: instruction.a, &state, source)
        return Self.holds(instruction.function, left, try self.double(at: instruction.b, &state, source))
    }

    private static func holds<Number: Comparable>(_ function: Function, _ left: Number, _ right: Number) -> Bool {
        switch function {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        default: left >= right
        }
    }
}
