import Testing

@testable import CEL

/// Values by variable number, for both ways of evaluation.
private struct Numbers: NumberSource, VariableSource {
    let values: [Value?]

    func value(of variable: Int) -> Value? { self.values[variable] }
    func number(of variable: Int) -> Int64? {
        if case .int(let number)? = self.values[variable] { number } else { nil }
    }
    func real(of variable: Int) -> Double? {
        if case .double(let number)? = self.values[variable] { number } else { nil }
    }
    func hasValue(of variable: Int) -> Bool? { self.values[variable] != nil }
}

@Suite struct NumberProgramTests {
    private static let environment = {
        var environment = ExpressionEnvironment([
            .init("a", .int), .init("b", .int), .init("x", .double), .init("y", .double), .init("s", .string),
        ])
        environment.allowsHasOfVariables = true
        return environment
    }()

    /// The value as text, which is the same for each NaN and differs between 0.0 and -0.0; a missing value is `none`.
    private static func text(_ value: Value?) -> String {
        if case .double(let number)? = value, number.isNaN { return "nan" }
        return value.map(shown) ?? "none"
    }

    @Test(
        "An expression of numbers is evaluated in steps",
        arguments: [
            ("a * b > 100", "true"), ("a * b", "119"), ("x * y", "708.75"), ("-x + x", "0.0"), ("a % b == 3", "true"),
            ("-a < b && -x < y", "true"), ("!(a > b) && true", "false"), ("has(a) && a > 1 || has(s)", "true"),
            ("a - b * 2 + 1 == 4", "true"), ("x / 0.0 > 1e300", "true"), ("(a + b) * (a - b) >= a", "true"),
            ("x != y && a != b && x >= y && b <= a", "true"),
        ])
    func simple(text: String, value: String) throws {
        let program = try Program(text, Self.environment)
        let source = Numbers(values: [.int(17), .int(7), .double(31.5), .double(22.5), nil])
        #expect(Self.text(program.evaluateNumbers(source)) == value)
        let evaluated = try program.evaluate(source)
        #expect(Self.text(evaluated) == value)
    }

    @Test(
        "Other expressions and everything that may fail are left to the evaluator",
        arguments: [
            "s == 'a'", "a", "x > 1.0 && s == 'a'", "a + int(x) > 1", "a / 0 > 1", "a % 0 > 1",
            "a + 9223372036854775807 > 0", "a * b * 4611686018427387904 > 0", "a > 1u", "x > 1", "[a] == [b]",
            "a > 1 ? x > 1.0 : x > 2.0",
            // More values at the same time than the stack has room for.
            "a + (a + (a + (a + (a + (a + (a + (a + (a + 1)))))))) > 1",
            // Too many steps.
            (0..<40).map { "a > \($0)" }.joined(separator: " || "),
        ])
    func others(text: String) throws {
        let program = try Program(text, Self.environment)
        let source = Numbers(values: [.int(17), .int(7), .double(31.5), .double(2), .string("a")])
        #expect(program.evaluateNumbers(source) == nil)
        #expect(program.testNumbers(source) == nil)
    }

    @Test("A missing value and one of another type than declared are left to the evaluator")
    func missing() throws {
        for text in ["a > b", "a + b", "x > y || a > b", "-x > y"] {
            let program = try Program(text, Self.environment)
            for values: [Value?] in [
                [nil, .int(1), nil, .double(2), nil], [.string("1"), .int(1), .int(3), .double(2), nil],
            ] {
                #expect(program.evaluateNumbers(Numbers(values: values)) == nil, "\(text)")
                #expect(throws: EvaluationError.self) { try program.evaluate(Numbers(values: values)) }
            }
        }
    }

    @Test("A number is no condition")
    func number() throws {
        let program = try Program("a + b", Self.environment)
        #expect(program.testNumbers(Numbers(values: [.int(1), .int(1), nil, nil, nil])) == nil)
    }

    /// A sequence of random choices that is the same in every run.
    private struct Choices: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let bits = (self.state ^ self.state >> 29) &* 0xBF58_476D_1CE4_E5B9
            return bits ^ bits >> 32
        }
    }

    private static let wholeNumbers: [Int64] = [0, 1, -1, 2, 7, -13, 1000, .max, .min, .max - 1, 1 << 32]
    private static let fractions: [Double] = [
        0, -0.0, 1, -1, 0.1, 31.5, 1e300, -1e300, .leastNonzeroMagnitude, .infinity, -.infinity, .nan,
        9_007_199_254_740_992,
    ]

    private static func whole(_ depth: Int, _ choices: inout Choices) -> String {
        switch Int.random(in: 0..<(depth > 3 ? 3 : 9), using: &choices) {
        case 0: return "a"
        case 1: return "b"
        case 2: return "\(Self.wholeNumbers.randomElement(using: &choices) ?? 0)"
        case 3: return "-(\(Self.whole(depth + 1, &choices)))"
        default:
            let sign = ["+", "-", "*", "/", "%"].randomElement(using: &choices) ?? "+"
            return "(\(Self.whole(depth + 1, &choices)) \(sign) \(Self.whole(depth + 1, &choices)))"
        }
    }

    private static func fraction(_ depth: Int, _ choices: inout Choices) -> String {
        switch Int.random(in: 0..<(depth > 3 ? 3 : 9), using: &choices) {
        case 0: return "x"
        case 1: return "y"
        case 2: return ["0.0", "-0.0", "1.5", "1e308", "3.0"].randomElement(using: &choices) ?? "0.0"
        case 3: return "-(\(Self.fraction(depth + 1, &choices)))"
        default:
            let sign = ["+", "-", "*", "/"].randomElement(using: &choices) ?? "+"
            return "(\(Self.fraction(depth + 1, &choices)) \(sign) \(Self.fraction(depth + 1, &choices)))"
        }
    }

    private static func condition(_ depth: Int, _ choices: inout Choices) -> String {
        let sign = ["==", "!=", "<", "<=", ">", ">="].randomElement(using: &choices) ?? "=="
        switch Int.random(in: 0..<(depth > 2 ? 4 : 8), using: &choices) {
        case 0, 1: return "\(Self.whole(depth + 1, &choices)) \(sign) \(Self.whole(depth + 1, &choices))"
        case 2, 3: return "\(Self.fraction(depth + 1, &choices)) \(sign) \(Self.fraction(depth + 1, &choices))"
        case 4: return "!(\(Self.condition(depth + 1, &choices)))"
        case 5: return "has(x) && (\(Self.condition(depth + 1, &choices)))"
        case 6: return "(\(Self.condition(depth + 1, &choices))) && (\(Self.condition(depth + 1, &choices)))"
        default: return "(\(Self.condition(depth + 1, &choices))) || (\(Self.condition(depth + 1, &choices)))"
        }
    }

    @Test("The steps give the same as the evaluator, for random expressions and values")
    func property() throws {
        var choices = Choices(state: 20_261_130)
        var decided = 0
        for round in 0..<3000 {
            let text =
                switch round % 3 {
                case 0: Self.whole(0, &choices)
                case 1: Self.fraction(0, &choices)
                default: Self.condition(0, &choices)
                }
            let program = try Program(text, Self.environment)
            for _ in 0..<5 {
                let isMissing = Int.random(in: 0..<10, using: &choices) == 0
                let source = Numbers(values: [
                    Self.wholeNumbers.randomElement(using: &choices).map { .int($0) },
                    isMissing ? nil : Self.wholeNumbers.randomElement(using: &choices).map { .int($0) },
                    isMissing ? nil : Self.fractions.randomElement(using: &choices).map { .double($0) },
                    Self.fractions.randomElement(using: &choices).map { .double($0) }, nil,
                ])
                guard let value = program.evaluateNumbers(source) else { continue }
                decided += 1
                let evaluated = try program.evaluate(source)
                #expect(Self.text(value) == Self.text(evaluated), "\(text) of \(source.values)")
            }
        }
        // The comparison must not be about nothing.
        #expect(decided > 3000)
    }
}
