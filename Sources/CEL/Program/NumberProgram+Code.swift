extension Code {
    /// The steps that give the value of the expression; none if it has other parts than numbers.
    var numbers: NumberProgram {
        let kind: NumberProgram.Kind
        switch self.instructions[Int(self.root)].operation {
        case .intArithmetic: kind = .int
        case .doubleArithmetic: kind = .double
        case .intComparison, .doubleComparison, .and, .or: kind = .bool
        default: return NumberProgram()
        }
        var builder = NumberProgramBuilder(code: self)
        guard builder.add(self.root, kind) else { return NumberProgram() }
        return NumberProgram(steps: builder.steps, result: kind)
    }
}

/// Makes the steps of an expression of numbers.
private struct NumberProgramBuilder {
    let code: Code
    /// The steps so far.
    private(set) var steps: [NumberProgram.Step] = []
    /// The number of values on the stack after these steps.
    private var depth = 0

    init(code: Code) { self.code = code }

    /// Adds the steps of an instruction whose value has this type.
    ///
    /// - Returns: `false` if there are none.
    mutating func add(_ at: Int32, _ kind: NumberProgram.Kind) -> Bool {
        let instruction = self.code.instructions[Int(at)]
        switch (instruction.operation, kind) {
        case (.constant, _): return self.push(self.code.constants[Int(instruction.a)], kind)
        case (.variable, .int): return self.push(.intVariable, UInt64(bitPattern: Int64(instruction.a)))
        case (.variable, .double): return self.push(.doubleVariable, UInt64(bitPattern: Int64(instruction.a)))
        case (.hasVariable, .bool): return self.push(.hasVariable, UInt64(bitPattern: Int64(instruction.a)))
        case (.intArithmetic, .int), (.intComparison, .bool):
            return self.add(instruction.a, .int) && self.add(instruction.b, .int)
                && self.reduce(Self.operation(instruction.function, isInt: true))
        case (.doubleArithmetic, .double), (.doubleComparison, .bool):
            return self.add(instruction.a, .double) && self.add(instruction.b, .double)
                && self.reduce(Self.operation(instruction.function, isInt: false))
        case (.unary, _): return self.unary(instruction, kind)
        case (.and, .bool), (.or, .bool):
            let operands = Int(instruction.a)..<Int(instruction.a + instruction.b)
            for (number, index) in operands.enumerated() {
                guard self.add(self.code.operands[index], .bool) else { return false }
                if number > 0, !self.reduce(instruction.operation == .and ? .and : .or) { return false }
            }
            return !operands.isEmpty
        default: return false
        }
    }

    private mutating func unary(_ instruction: Instruction, _ kind: NumberProgram.Kind) -> Bool {
        let operation: NumberProgram.Operation
        switch (instruction.function, kind) {
        case (.negate, .int): operation = .negateInt
        case (.negate, .double): operation = .negateDouble
        case (.not, .bool): operation = .not
        default: return false
        }
        guard self.add(instruction.a, kind) else { return false }
        return self.append(NumberProgram.Step(operation))
    }

    private mutating func push(_ value: Value, _ kind: NumberProgram.Kind) -> Bool {
        switch (value, kind) {
        case (.int(let number), .int): self.push(.constant, UInt64(bitPattern: number))
        case (.double(let number), .double): self.push(.constant, number.bitPattern)
        case (.bool(let value), .bool): self.push(.constant, value ? 1 : 0)
        default: false
        }
    }

    private mutating func push(_ operation: NumberProgram.Operation, _ operand: UInt64) -> Bool {
        self.depth += 1
        guard self.depth <= NumberProgram.stackSize else { return false }
        return self.append(NumberProgram.Step(operation, operand))
    }

    /// Adds an operation that replaces two values by one.
    private mutating func reduce(_ operation: NumberProgram.Operation?) -> Bool {
        guard let operation else { return false }
        self.depth -= 1
        return self.append(NumberProgram.Step(operation))
    }

    private mutating func append(_ step: NumberProgram.Step) -> Bool {
        guard self.steps.count < NumberProgram.limit else { return false }
        self.steps.append(step)
        return true
    }

    private static func operation(_ function: Function, isInt: Bool) -> NumberProgram.Operation? {
        switch function {
        case .add: isInt ? .addInts : .addDoubles
        case .subtract: isInt ? .subtractInts : .subtractDoubles
        case .multiply: isInt ? .multiplyInts : .multiplyDoubles
        case .divide: isInt ? .divideInts : .divideDoubles
        case .modulo: isInt ? .remainder : nil
        case .equal: isInt ? .equalInts : .equalDoubles
        case .notEqual: isInt ? .unequalInts : .unequalDoubles
        case .less: isInt ? .lessInts : .lessDoubles
        case .lessOrEqual: isInt ? .lessOrEqualInts : .lessOrEqualDoubles
        case .greater: isInt ? .greaterInts : .greaterDoubles
        case .greaterOrEqual: isInt ? .greaterOrEqualInts : .greaterOrEqualDoubles
        default: nil
        }
    }
}
