/// Builds one program of tests and expressions, for embedders whose conditions have a form of their own.
///
/// ```swift
/// var builder = ConditionBuilder(environment)
/// let parts = [builder.text(of: 0, isOneOf: [Array("active".utf8)]), try builder.expression("amount > 5")]
/// let program = builder.program(builder.all(parts))
/// ```
/// A test of a variable that is missing does not hold; an expression that uses one fails.
package struct ConditionBuilder {
    /// A part of the condition.
    package struct Part {
        fileprivate let at: Int32
    }

    private var compiler: Compiler

    /// Creates a builder; expressions use the variables and options of the environment.
    package init(_ environment: ExpressionEnvironment) { self.compiler = Compiler(environment) }

    /// Adds the test that a variable of any type has one of these texts, byte for byte.
    package mutating func text(of variable: Int, isOneOf texts: [[UInt8]]) -> Part {
        Part(at: self.compiler.builder.test(variable, texts: texts))
    }

    /// Adds the test that a variable is a whole number in this range.
    package mutating func number(of variable: Int, isIn range: ClosedRange<Int64>) -> Part {
        Part(at: self.compiler.builder.test(variable, range: range))
    }

    /// Adds the test that a variable has a value.
    package mutating func has(_ variable: Int) -> Part {
        Part(at: self.compiler.builder.add(Instruction(operation: .hasVariable, a: Int32(variable))))
    }

    /// Adds the condition that all parts hold, as with `&&`: one that does not hold absorbs the errors of others.
    package mutating func all(_ parts: [Part]) -> Part { self.logic(.and, parts) }

    /// Adds the condition that any part holds, as with `||`: one that holds absorbs the errors of others.
    package mutating func any(_ parts: [Part]) -> Part { self.logic(.or, parts) }

    /// Adds the condition that a part does not hold.
    package mutating func not(_ part: Part) -> Part {
        Part(at: self.compiler.builder.add(Instruction(operation: .unary, function: .not, a: part.at)))
    }

    /// Adds an expression.
    ///
    /// - Throws: The mistakes of the expression, which then is not added.
    package mutating func expression(_ text: String) throws(ExpressionProblems) -> Part {
        Part(at: try Program.compile(text, &self.compiler, result: .bool).at)
    }

    /// Returns the program of a part.
    package func program(_ root: Part) -> Program { Program(self.compiler, root: (root.at, .bool)) }

    private mutating func logic(_ operation: Instruction.Operation, _ parts: [Part]) -> Part {
        if parts.count == 1 { return parts[0] }
        let first = self.compiler.builder.list(parts.map(\.at))
        return Part(
            at: self.compiler.builder.add(Instruction(operation: operation, a: first, b: Int32(parts.count))))
    }
}
