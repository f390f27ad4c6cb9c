import CEL
import Testing

@Suite("Limits")
struct LimitTests {
    @Test(
        "The cost limit ends every unbounded evaluation, and no operator absorbs that error",
        arguments: [
            "lists.range(1000000000).size() > 0", "lists.range(3000).map(x, lists.range(3000)).size() > 0",
            "lists.range(100000).exists(x, x < 0) || true",
            "cel.bind(a, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', cel.bind(b, a.replace('', a), cel.bind(c, b.replace('', b), c.replace('', c).size() > 0)))",
            "cel.bind(a, [t, t], cel.bind(b, [a, a, a, a, a, a, a, a], cel.bind(c, [b, b, b, b, b, b, b, b], cel.bind(d, [c, c, c, c, c, c, c, c], cel.bind(e, [d, d, d, d, d, d, d, d], cel.bind(f, [e, e, e, e, e, e, e, e], cel.bind(g, [f, f, f, f, f, f, f, f], g == g)))))))",
            "lists.range(20000).distinct().size() > 0",
            "lists.range(1000).all(x, lists.range(1000).all(y, x + y >= 0))",
            "lists.range(2000).map(x, t).join(t).size() > 0",
        ])
    func cost(_ text: String) {
        let variable: (String, ExpressionType, Value?) = ("t", .string, .string(String(repeating: "t", count: 4000)))
        #expect(outcome(text, variables: [variable]) == "error: cost limit exceeded", "\(text)")
    }

    @Test("The cost of a condition is small and deterministic")
    func smallCost() throws {
        let program = try Program(
            "a * 2 + 1 > 3 && [1, 2].exists(x, x == a)", ExpressionEnvironment([.init("a", .int)]))
        let first = try program.evaluateWithCost(VariableValues([.int(2)])).cost
        #expect(first > 0 && first < 40)
        #expect(try program.evaluateWithCost(VariableValues([.int(2)])).cost == first)
        #expect(throws: EvaluationError.self) { try program.evaluate(VariableValues([.int(2)]), limit: 3) }
    }

    @Test("A missing variable is an error, and has() tests for it")
    func missing() {
        #expect(outcome("a == 1", variables: [("a", .int, nil)]) == "error: \"a\" is missing")
        #expect(outcome("has(a) && a == 1", variables: [("a", .int, nil)]) == "false")
        #expect(outcome("has(a)", variables: [("a", .int, .int(1))]) == "true")
        #expect(outcome("has(e.id)", variables: [("e.id", .int, nil)]) == "false")
        #expect(outcome("a == 'x'", variables: [("a", .string, nil)]) == "error: \"a\" is missing")
    }

    @Test("Names are looked up in the container first, and a leading dot leaves it")
    func containers() throws {
        var environment = ExpressionEnvironment([.init("a.b.x", .int), .init("a.x", .int), .init("x", .int)])
        environment.container = "a.b"
        let values = VariableValues([.int(1), .int(2), .int(3)])
        for (text, expected) in [
            ("x", "1"), (".x", "3"), (".a.x", "2"), ("b.x", "1"), ("[5].map(x, x)[0]", "5"), ("[5].map(x, .x)[0]", "3"),
        ] {
            #expect(shown(try Program(text, environment).evaluate(values)) == expected, "\(text)")
        }
    }

    @Test("Random expressions neither crash nor take more than their cost", arguments: 1...8)
    func random(_ seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func below(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(limit))
        }
        let parts = [
            "1", "2u", "0.5", "'ab'", "b'x'", "t", "n", "[1, 2]", "{'a': 1}", "null", "true", "+", "-", "*", "/", "%",
            "==", "<", "in",
            "&&", "||", "? 1 :", "(", ")", ".size()", ".map(x, x + 1)", ".all(x, x == x)", "[0]", ".?a", ".a", "!",
            ".matches('a+')",
            ".split('')", ".format([t])", "duration('1s')", "timestamp(0)", "ip('::1')", "type(", "string(", ", ",
            "cel.bind(y, t, y)",
        ]
        var environment = ExpressionEnvironment([.init("t", .string), .init("n", .dyn)])
        var evaluated = 0
        // `make fuzz` evaluates two million, in release mode.
        for _ in 0..<600 {
            environment.isChecked = below(2) == 0
            let text = (0...below(8)).map { _ in parts[below(parts.count)] }.joined(separator: " ")
            guard let program = try? Program(text, environment) else { continue }
            evaluated += 1
            _ = try? program.evaluate(VariableValues([.string("aaa"), .int(3)]), limit: 10_000)
        }
        #expect(evaluated > 0)
    }
}
