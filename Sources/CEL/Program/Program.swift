/// A compiled expression.
///
/// ```swift
/// let environment = ExpressionEnvironment([.init("status", .string)])
/// let program = try Program("status == 'revoked'", environment)
/// let holds = try program.test(VariableValues([.string("active")]))
/// ```
public struct Program: Sendable {
    /// The type of the result.
    public let type: ExpressionType
    /// The numbers of the variables that the expression uses, in ascending order.
    public let variables: [Int]
    let code: Code
    /// The expression as comparisons of string variables with texts, all of which must hold; `nil` if it is not that
    /// simple.
    @usableFromInline let comparisons: [TextTest]?

    /// A string variable and the texts that it may have.
    @usableFromInline
    struct TextTest: Sendable {
        @usableFromInline let variable: Int
        @usableFromInline let texts: [[UInt8]]

        init(variable: Int, texts: [[UInt8]]) {
            self.variable = variable
            self.texts = texts
        }
    }

    /// The comparisons that the expression consists of, if it only compares string variables with texts: all of them
    /// must hold, each with one of its texts. An embedder may make them itself if every variable has a value.
    package var textComparisons: [(variable: Int, texts: [[UInt8]])]? {
        self.comparisons.map { $0.map { ($0.variable, $0.texts) } }
    }

    /// Compiles an expression.
    ///
    /// - Parameters:
    ///   - text: The expression, of at most `ExpressionLimits.length` bytes.
    ///   - environment: The variables and options.
    ///   - result: The type that the result must have, or `nil` for any.
    /// - Throws: All mistakes with their positions; a mistake of the syntax hides those that follow it.
    public init(
        _ text: String, _ environment: ExpressionEnvironment, result: ExpressionType? = nil
    ) throws(ExpressionProblems) {
        let node: Node
        do throws(OffsetProblem) {
            node = try Parser.parse(text)
        } catch {
            throw Self.located([error], text)
        }
        var compiler = Compiler(environment)
        let part = compiler.compile(node)
        self.type = compiler.types.resolve(part.type)
        if let result, !compiler.types.assign(part.type, to: result) {
            compiler.report(node.offset, "expected \(result), found \(self.type)")
        }
        guard compiler.problems.isEmpty else { throw Self.located(compiler.problems, text) }
        self.code = Code(compiler.builder, root: part.at, timeZone: environment.timeZone)
        let used = self.code.instructions.filter { [.variable, .hasVariable].contains($0.operation) }
        self.variables = Set(used.map { Int($0.a) }).sorted()
        self.comparisons = self.code.comparisons(self.code.root)
    }

    /// Checks the syntax of an expression without names and types.
    ///
    /// - Throws: The first mistake of the syntax.
    public static func checkSyntax(_ text: String) throws(ExpressionProblems) {
        do throws(OffsetProblem) {
            _ = try Parser.parse(text)
        } catch {
            throw Self.located([error], text)
        }
    }

    private static func located(_ problems: [OffsetProblem], _ text: String) -> ExpressionProblems {
        ExpressionProblems(
            problems: problems.sorted { $0.offset < $1.offset }.map {
                ExpressionProblem(position: SourcePosition(offset: $0.offset, in: text), message: $0.message)
            })
    }

    /// Evaluates the expression.
    ///
    /// - Parameters:
    ///   - source: The values of the variables.
    ///   - limit: The cost limit: about one unit per step and per 16 bytes of text.
    /// - Throws: The error that the expression evaluates to.
    public func evaluate<Source: VariableSource & ~Copyable>(
        _ source: borrowing Source, limit: Int = ExpressionLimits.cost
    ) throws(EvaluationError) -> Value {
        try self.evaluateWithCost(source, limit: limit).value
    }

    /// Evaluates the expression and returns its cost as well.
    ///
    /// - Throws: The error that the expression evaluates to.
    public func evaluateWithCost<Source: VariableSource & ~Copyable>(
        _ source: borrowing Source, limit: Int = ExpressionLimits.cost
    ) throws(EvaluationError) -> (value: Value, cost: Int) {
        var state = EvaluationState(limit: limit, locals: self.code.localCount)
        let value = try self.code.evaluate(self.code.root, &state, source)
        return (value, limit - state.meter.remaining)
    }

    /// Evaluates a condition. Does not allocate if the expression compares string variables with texts.
    ///
    /// - Throws: The error that the expression evaluates to, or that it is not a bool.
    @inlinable
    public func test<Source: VariableSource & ~Copyable>(
        _ source: borrowing Source, limit: Int = ExpressionLimits.cost
    ) throws(EvaluationError) -> Bool {
        guard let comparisons = self.comparisons else { return try self.testSlowly(source, limit: limit) }
        let tests = comparisons.span
        for index in tests.indices {
            let texts = tests[index].texts.span
            var found = false
            for number in texts.indices {
                switch source.compare(tests[index].variable, with: texts[number]) {
                case .equal: found = true
                case .different: continue
                case .unknown: return try self.testSlowly(source, limit: limit)
                }
                break
            }
            if !found { return false }
        }
        return true
    }

    @usableFromInline
    func testSlowly<Source: VariableSource & ~Copyable>(
        _ source: borrowing Source, limit: Int
    ) throws(EvaluationError) -> Bool {
        guard case .bool(let result) = try self.evaluate(source, limit: limit) else {
            throw EvaluationError("the condition is not a bool")
        }
        return result
    }
}

extension Code {
    /// The comparisons that an instruction consists of, if it is nothing but comparisons of string variables.
    func comparisons(_ at: Int32) -> [Program.TextTest]? {
        let instruction = self.instructions[Int(at)]
        switch instruction.operation {
        case .and:
            var all: [Program.TextTest] = []
            for operand in self.operands[Int(instruction.a)..<Int(instruction.a + instruction.b)] {
                guard let tests = self.comparisons(operand) else { return nil }
                all += tests
            }
            return all
        case .binary:
            let (left, right) = (self.instructions[Int(instruction.a)], self.instructions[Int(instruction.b)])
            if instruction.function == .equal, left.operation == .constant, right.operation == .variable {
                return self.comparison(right, left)
            }
            guard left.operation == .variable, right.operation == .constant,
                [.equal, .isIn].contains(instruction.function)
            else { return nil }
            return self.comparison(left, right)
        default: return nil
        }
    }

    private func comparison(
        _ variable: Instruction, _ constant: Instruction
    ) -> [Program.TextTest]? {
        guard variable.c == 1 else { return nil }
        var texts: [[UInt8]] = []
        let values: [Value]
        switch self.constants[Int(constant.a)] {
        case .list(let list): values = list
        case let value: values = [value]
        }
        for value in values {
            guard case .string(let text) = value else { return nil }
            texts.append(Array(text.utf8))
        }
        return texts.isEmpty ? nil : [Program.TextTest(variable: Int(variable.a), texts: texts)]
    }
}
