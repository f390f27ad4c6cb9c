/// The named limits of expressions: no text and no value can make the parser or the evaluator run without bound.
public enum ExpressionLimits {
    /// The maximum length of an expression in bytes, far above any that is written by hand.
    public static let length = 64 << 10
    /// The maximum height of the syntax tree, which bounds the recursion of the compiler and the evaluator. The
    /// language definition asks for at least 32 levels.
    public static let nesting = 200
    /// The maximum number of problems that one compilation reports.
    public static let problems = 50
    /// The default cost limit of one evaluation: about a millisecond of work and at most 2 MB of new text.
    public static let cost = 200_000
    /// The maximum number of instructions of a compiled regular expression.
    public static let patternInstructions = 2_000
    /// The maximum repetition count in a regular expression, as in RE2.
    public static let patternRepetition = 1_000
    /// The maximum precision of a `format` clause in digits.
    public static let formatPrecision = 100
}
