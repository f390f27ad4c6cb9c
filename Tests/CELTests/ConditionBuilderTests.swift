import Testing

@testable import CEL

@Suite struct ConditionBuilderTests {
    private static let environment = {
        var environment = ExpressionEnvironment([.init("status", .string), .init("amount", .int), .init("note", .dyn)])
        environment.allowsHasOfVariables = true
        return environment
    }()

    /// A condition as a tree, from which a program is built.
    indirect enum Tree: Sendable {
        case text(Int, [String])
        case number(Int, ClosedRange<Int64>)
        case has(Int)
        case expression(String)
        case all([Tree])
        case any([Tree])
        case not(Tree)

        func add(to builder: inout ConditionBuilder) throws -> ConditionBuilder.Part {
            switch self {
            case .text(let variable, let texts):
                return builder.text(of: variable, isOneOf: texts.map { Array($0.utf8) })
            case .number(let variable, let range): return builder.number(of: variable, isIn: range)
            case .has(let variable): return builder.has(variable)
            case .expression(let text): return try builder.expression(text)
            case .all(let trees):
                var parts: [ConditionBuilder.Part] = []
                for tree in trees { parts.append(try tree.add(to: &builder)) }
                return builder.all(parts)
            case .any(let trees):
                var parts: [ConditionBuilder.Part] = []
                for tree in trees { parts.append(try tree.add(to: &builder)) }
                return builder.any(parts)
            case .not(let tree): return builder.not(try tree.add(to: &builder))
            }
        }

        var program: Program {
            get throws {
                var builder = ConditionBuilder(environment)
                let root = try self.add(to: &builder)
                return builder.program(root)
            }
        }
    }

    /// Rows of values, some of them missing or of another type than declared.
    private static let rows: [[Value?]] = [
        [.string("open"), .int(5), .string("x")], [.string("closed"), .int(50), .int(7)], [nil, .int(5), nil],
        [.string("open"), nil, .string("open")], [nil, nil, nil], [.string(""), .int(-5), .string("")],
    ]

    private static let trees: [Tree] = [
        .text(0, ["open"]), .text(0, ["closed", "open"]), .text(2, ["7"]), .number(1, 0...9), .number(2, 7...7),
        .has(0), .not(.has(2)), .all([]), .any([]), .expression("status == 'open'"), .expression("'open' == status"),
        .expression("status in ['open', '']"), .expression("status == 'open' && amount > 4"),
        .expression("note == 'open'"), .expression("note == ['open']"), .expression("status != 'open'"),
        .all([.text(0, ["open"]), .number(1, 0...9)]), .all([.text(0, ["open"]), .expression("amount > 4")]),
        .all([.expression("status == 'open'"), .text(2, ["open"])]),
        .all([.all([.text(0, ["open"]), .text(2, ["x"])]), .has(1)]),
        .any([.text(0, ["closed"]), .expression("amount > 4")]), .not(.expression("status == 'open'")),
        .not(.all([.text(0, ["open"]), .expression("note == 'x'")])),
    ]

    /// The result of an evaluation or its error, as text.
    private func outcome(_ body: () throws -> Bool) -> String {
        do {
            return try body() ? "true" : "false"
        } catch {
            return "\(error)"
        }
    }

    @Test("The fast path of a condition gives the result of the program")
    func fastPath() throws {
        for tree in Self.trees {
            let program = try tree.program
            let tests = program.textTests()
            for row in Self.rows {
                let source = VariableValues(row)
                let slow = self.outcome {
                    if case .bool(true) = try program.evaluate(source) { true } else { false }
                }
                #expect(self.outcome { try program.test(source) } == slow, "\(tree) \(row)")
                // What an embedder may conclude from its own comparisons.
                let found = tests.tests.map { test in
                    test.texts.contains { source.text(of: test.variable, equals: $0) }
                }
                let isMissing = tests.tests.map { row[$0.variable] == nil }
                if tests.isComplete, found.allSatisfy({ $0 }) { #expect(slow == "true", "\(tree) \(row)") }
                let isDecided = zip(found, isMissing).contains { isFound, isMissing in
                    !isFound && (!isMissing || tests.isComplete && tests.allowsMissing)
                }
                if isDecided { #expect(slow == "false", "\(tree) \(row)") }
            }
        }
    }

    @Test(
        "A test of a missing variable does not hold, and an expression fails, unless another part decides",
        arguments: [
            (.text(0, ["open"]), "false"), (.not(.text(0, ["open"])), "true"), (.number(1, 0...9), "false"),
            (.expression("status == 'open'"), "\"status\" is missing"),
            (.all([.text(0, ["open"]), .expression("amount > 4")]), "false"),
            (.any([.expression("amount > 4"), .not(.has(0))]), "true"),
            (.any([.expression("amount > 4"), .has(0)]), "\"amount\" is missing"),
        ] as [(Tree, String)])
    func missing(tree: Tree, expected: String) throws {
        let program = try tree.program
        #expect(self.outcome { try program.test(VariableValues([nil, nil, nil])) } == expected)
    }

    @Test("Tests compare any value by its text, and numbers only if they are whole")
    func values() throws {
        let source = VariableValues([.int(12), .double(5), .bool(true)])
        #expect(try Tree.text(0, ["12"]).program.test(source))
        #expect(try !Tree.text(0, ["012"]).program.test(source))
        #expect(try !Tree.number(1, 5...5).program.test(source))
        #expect(try Tree.text(2, ["true"]).program.test(source))
    }

    @Test("Each error of an expression is reported, and the builder can continue")
    func mistakes() throws {
        var builder = ConditionBuilder(Self.environment)
        for (text, message) in [
            ("statos == 'a'", "1:1: unknown name \"statos\" (did you mean \"status\"?)"),
            ("amount + 1", "1:8: expected bool, found int"),
            ("status =", "1:8: unexpected character \"=\" (did you mean \"==\"?)"),
        ] {
            do throws(ExpressionProblems) {
                _ = try builder.expression(text)
                Issue.record("accepted: \(text)")
            } catch {
                #expect(error.description == message)
            }
        }
        let part = try builder.expression("amount > 1")
        #expect(try builder.program(part).test(VariableValues([nil, .int(2), nil])))
    }

    @Test(
        "The names that an expression may use",
        arguments: [
            ("status == 'open' && entry.id != ''", ["status", "entry.id"]), ("has(a) || has(b.c)", ["a", "b.c", "b"]),
            ("size(x) > 1 ? y[z] : {k: [l]}[m]", ["x", "y", "z", "k", "l", "m"]), ("type(a) == int", ["a"]),
            ("names.exists(n, n == own)", ["names", "n", "own"]), ("1 +", []), ("a.startsWith(b)", ["a", "b"]),
        ])
    func names(text: String, expected: [String]) {
        #expect(Program.names(in: text) == expected)
    }
}
