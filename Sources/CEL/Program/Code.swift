/// The compiled form of an expression: a tree of instructions in an array, each behind those that it uses.
final class Code: Sendable {
    /// The instructions.
    let instructions: [Instruction]
    /// The instruction of the whole expression.
    let root: Int32
    /// The constants.
    let constants: [Value]
    /// The operands of instructions with any number of them.
    let operands: [Int32]
    /// The names of fields and variables, and messages.
    let names: [String]
    /// The comprehensions.
    let comprehensions: [ComprehensionCode]
    /// The regular expressions.
    let patterns: [Pattern]
    /// The lists of texts and the ranges of tests.
    let texts: [[[UInt8]]]
    let ranges: [ClosedRange<Int64>]
    /// The number of local variables that are in use at the same time.
    let localCount: Int
    /// Finds the offset of a time zone.
    let timeZone: ExpressionEnvironment.TimeZoneLookup?

    init(_ builder: CodeBuilder, root: Int32, timeZone: ExpressionEnvironment.TimeZoneLookup?) {
        self.instructions = builder.instructions
        self.root = root
        self.constants = builder.constants
        self.operands = builder.operands
        self.names = builder.names
        self.comprehensions = builder.comprehensions
        self.patterns = builder.patterns
        self.texts = builder.texts
        self.ranges = builder.ranges
        self.localCount = builder.localCount
        self.timeZone = timeZone
    }
}

/// An instruction; what `a`, `b` and `c` mean depends on the operation.
struct Instruction {
    /// An operation.
    enum Operation: UInt8 {
        /// Constant `a`.
        case constant
        /// Variable `a`, named `b`, with `c` = 1 if it is a string and 2 if its type is not known; the local variable
        /// `a`.
        case variable, local
        /// Whether variable `a` has a value.
        case hasVariable
        /// Whether the value of variable `a` is one of texts `b`, byte for byte; whether its number is in range `b`.
        /// They do not hold if the variable has no value.
        case textIn, numberIn
        /// The error with message `a`.
        case fail
        /// Field `b` of `a`.
        case select, optionalSelect, hasField
        /// Element `b` of `a`.
        case index, optionalIndex
        /// `b` operands from `a`.
        case and, or
        /// `a ? b : c`.
        case conditional
        /// A function of `a`; of `a` and `b`; of `b` operands from `a`.
        case unary, binary, call
        /// An arithmetic operator or an order of two ints or two doubles, as the types of `a` and `b` promise.
        case intArithmetic, doubleArithmetic, intComparison, doubleComparison
        /// Whether text `a` matches pattern `b`.
        case matches
        /// A list of `b` operands from `a`; a map of `b` pairs of operands from `a`. The operand of an optional element
        /// or the key of an optional pair is complemented.
        case list, map
        /// Comprehension `b` over `a`.
        case comprehension
        /// `b` with local variable `c` set to `a`; with the value of an optional.
        case bind, optionalMap, optionalFlatMap

        /// Whether the value is always a bool; see `Code.condition`.
        var isBool: Bool {
            switch self {
            case .hasVariable, .textIn, .numberIn, .and, .or, .intComparison, .doubleComparison: true
            default: false
            }
        }
    }

    /// `c` of a variable that is a string.
    static var textVariable: Int32 { 1 }
    /// `c` of a variable whose type is not known.
    static var dynamicVariable: Int32 { 2 }

    /// The operation.
    var operation: Operation
    /// The function of a call.
    var function = Function.dyn
    /// The first operand.
    var a: Int32 = 0
    /// The second operand.
    var b: Int32 = 0
    /// The third operand.
    var c: Int32 = 0
}

/// A comprehension of the compiled form.
struct ComprehensionCode {
    /// The macro.
    var kind: ComprehensionKind
    /// The number of variables.
    var variableCount: Int
    /// The first of the local variables.
    var local: Int
    /// The instruction of the condition, -1 for none.
    var condition: Int32
    /// The instruction of the transformation, -1 for none.
    var transform: Int32
}

/// Collects the parts of the compiled form.
struct CodeBuilder {
    /// The parts as in `Code`.
    var instructions: [Instruction] = []
    var constants: [Value] = []
    var operands: [Int32] = []
    var names: [String] = []
    var comprehensions: [ComprehensionCode] = []
    var patterns: [Pattern] = []
    var texts: [[[UInt8]]] = []
    var ranges: [ClosedRange<Int64>] = []
    var localCount = 0

    /// Adds an instruction and returns its index.
    mutating func add(_ instruction: Instruction) -> Int32 {
        self.instructions.append(instruction)
        return Int32(self.instructions.count - 1)
    }

    /// Adds a constant.
    mutating func constant(_ value: Value) -> Int32 {
        self.constants.append(value)
        return self.add(Instruction(operation: .constant, a: Int32(self.constants.count - 1)))
    }

    /// Adds a test whether a variable has one of these texts.
    mutating func test(_ variable: Int, texts: [[UInt8]]) -> Int32 {
        self.texts.append(texts)
        return self.add(Instruction(operation: .textIn, a: Int32(variable), b: Int32(self.texts.count - 1)))
    }

    /// Adds a test whether a variable is a number in this range.
    mutating func test(_ variable: Int, range: ClosedRange<Int64>) -> Int32 {
        self.ranges.append(range)
        return self.add(Instruction(operation: .numberIn, a: Int32(variable), b: Int32(self.ranges.count - 1)))
    }

    /// Adds a name and returns its index.
    mutating func name(_ name: String) -> Int32 {
        if let known = self.names.firstIndex(of: name) { return Int32(known) }
        self.names.append(name)
        return Int32(self.names.count - 1)
    }

    /// Adds operands and returns the index of the first.
    mutating func list(_ operands: [Int32]) -> Int32 {
        self.operands += operands
        return Int32(self.operands.count - operands.count)
    }

    /// The value of an instruction that is a constant.
    func value(_ at: Int32) -> Value? {
        let instruction = self.instructions[Int(at)]
        return instruction.operation == .constant ? self.constants[Int(instruction.a)] : nil
    }
}
