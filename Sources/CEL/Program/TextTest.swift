/// The fast path of conditions: a comparison of a variable with texts.
///
/// Invariant: a condition holds only if all its comparisons do. So a variable whose value is a string other than these
/// texts decides that it does not hold, without an evaluation. A variable that is missing or is not a string decides
/// nothing.
@usableFromInline
struct TextTest: Sendable {
    /// The variable.
    @usableFromInline let variable: Int
    /// The texts, one of which the variable must have.
    @usableFromInline let texts: [[UInt8]]
    /// Whether the variable was declared as a string, so that an embedder may rely on it.
    let isDeclared: Bool
    /// Whether the comparison just does not hold if the variable is missing; it is an error otherwise.
    let allowsMissing: Bool
}

extension Program {
    /// Comparisons of variables with texts that an embedder may make itself.
    package struct TextTests {
        /// The variables and the texts that each must have. A variable that has a value other than these texts decides
        /// that the condition does not hold.
        package var tests: [(variable: Int, texts: [[UInt8]])] = []
        /// Whether the condition holds if all tests do.
        package var isComplete = true
        /// Whether a missing variable, too, decides that the condition does not hold.
        package var allowsMissing = true
    }

    /// The comparisons with texts that must hold.
    ///
    /// - Parameter includesDynamic: Whether to include variables whose type is not known. The embedder then compares
    ///   the text of a number, which the expression would not.
    package func textTests(includesDynamic: Bool = false) -> TextTests {
        var found = TextTests()
        for at in self.code.conjuncts(of: self.code.root) {
            if let test = self.code.comparison(at), test.isDeclared || includesDynamic {
                found.tests.append((test.variable, test.texts))
                found.allowsMissing = found.allowsMissing && test.allowsMissing
            } else {
                found.isComplete = false
            }
        }
        return found
    }
}

extension Code {
    /// The comparisons that the whole expression consists of, or `nil` if it has other parts.
    var comparisons: [TextTest]? {
        var tests: [TextTest] = []
        for at in self.conjuncts(of: self.root) {
            guard let test = self.comparison(at) else { return nil }
            tests.append(test)
        }
        return tests
    }

    /// The operands of nested `&&`, all of which must hold.
    fileprivate func conjuncts(of at: Int32) -> [Int32] {
        let instruction = self.instructions[Int(at)]
        guard instruction.operation == .and else { return [at] }
        return self.operands[Int(instruction.a)..<Int(instruction.a + instruction.b)].flatMap {
            self.conjuncts(of: $0)
        }
    }

    /// The comparison that an instruction is.
    fileprivate func comparison(_ at: Int32) -> TextTest? {
        let instruction = self.instructions[Int(at)]
        switch instruction.operation {
        case .textIn:
            return TextTest(
                variable: Int(instruction.a), texts: self.texts[Int(instruction.b)], isDeclared: true,
                allowsMissing: true)
        case .binary:
            let (left, right) = (self.instructions[Int(instruction.a)], self.instructions[Int(instruction.b)])
            if instruction.function == .equal, left.operation == .constant, right.operation == .variable {
                return self.comparison(right, .equal, left)
            }
            guard left.operation == .variable, right.operation == .constant,
                [.equal, .isIn].contains(instruction.function)
            else { return nil }
            return self.comparison(left, instruction.function, right)
        default: return nil
        }
    }

    private func comparison(
        _ variable: Instruction, _ function: Function, _ constant: Instruction
    ) -> TextTest? {
        guard [Instruction.textVariable, Instruction.dynamicVariable].contains(variable.c) else { return nil }
        var texts: [[UInt8]] = []
        let values: [Value]
        switch (self.constants[Int(constant.a)], function) {
        case (.list(let list), .isIn): values = list
        case (let value, .equal): values = [value]
        default: return nil
        }
        for value in values {
            guard case .string(let text) = value else { return nil }
            texts.append(Array(text.utf8))
        }
        if texts.isEmpty { return nil }
        return TextTest(
            variable: Int(variable.a), texts: texts, isDeclared: variable.c == Instruction.textVariable,
            allowsMissing: false)
    }
}
