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
    /// The comparisons that decide the condition if the variables are strings; `nil` if it is not that simple.
    @usableFromInline let comparisons: [TextTest]?
    /// The steps that give the value if the expression consists of numbers; none if it has other parts.
    @usableFromInline let numbers: NumberProgram

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
        var compiler = Compiler(environment)
        let part = try Self.compile(text, &compiler, result: result)
        self.init(compiler, root: part)
    }

    /// Creates a program of the compiled form so far.
    init(_ compiler: Compiler, root: Compiler.Part) {
        self.type = compiler.types.resolve(root.type)
        self.code = Code(compiler.builder, root: root.at, timeZone: compiler.environment.timeZone)
        let used = self.code.instructions.filter {
            [.variable, .hasVariable, .textIn, .numberIn].contains($0.operation)
        }
        self.variables = Set(used.map { Int($0.a) }).sorted()
        self.comparisons = self.code.comparisons
        self.numbers = self.code.numbers
    }

    /// Adds an expression to the compiled form.
    ///
    /// - Throws: The mistakes of this expression.
    static func compile(
        _ text: String, _ compiler: inout Compiler, result: ExpressionType?
    ) throws(ExpressionProblems) -> Compiler.Part {
        let node: Node
        do throws(OffsetProblem) {
            node = try Parser.parse(text)
        } catch {
            throw Self.located([error], text)
        }
        let part = compiler.compile(node)
        if let result, !compiler.types.assign(part.type, to: result) {
            compiler.report(node.offset, "expected \(result), found \(compiler.types.resolve(part.type))")
        }
        if compiler.problems.isEmpty { return part }
        defer { compiler.problems = [] }
        throw Self.located(compiler.problems, text)
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
                ExpressionProblem(position: TextPosition(offset: $0.offset, in: text), message: $0.message)
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
        var state = EvaluationState(limit: limit, locals: self.code.localCount)
        guard let result = try self.code.condition(self.code.root, &state, source) else {
            throw EvaluationError("the condition is not a bool")
        }
        return result
    }
}
