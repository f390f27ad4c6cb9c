import Testing

@testable import CEL

@Suite("Type checker")
struct CheckerTests {
    private static let environment: ExpressionEnvironment = {
        var environment = ExpressionEnvironment([
            .init("status", .string), .init("amount", .int), .init("price", .double), .init("entry.id", .string),
            .init("tags", .list(.string)), .init("labels", .map(.string, .int)), .init("payload", .dyn),
            .init("when", .timestamp),
        ])
        environment.allowsHasOfVariables = true
        return environment
    }()

    @Test(
        "A wrong name or type is reported with its position and the nearest name",
        arguments: [
            Example("statos == 'a'", "1:1: unknown name \"statos\" (did you mean \"status\"?)"),
            Example("entry.di == 'a'", "1:1: unknown name \"entry.di\" (did you mean \"entry.id\"?)"),
            Example("zzz", "1:1: unknown name \"zzz\""),
            Example("has(amout)", "1:5: unknown name \"amout\" (did you mean \"amount\"?)"),
            Example("status == 1", "1:8: operator \"==\" cannot compare string with int"),
            Example("amount < status", "1:8: operator \"<\" cannot compare int with string"),
            Example("amount + price", "1:8: operator \"+\" does not take (int, double)"),
            Example("!amount", "1:1: operator \"!\" does not take (int)"),
            Example("status.startWith('a')", "1:8: unknown function \"startWith\" (did you mean \"startsWith\"?)"),
            Example("status.startsWith(1)", "1:8: function \"startsWith\" does not take (string, int)"),
            Example("status.startsWith()", "1:8: function \"startsWith\" takes 1 argument, found 0"),
            Example("startsWith('a', 'b')", "1:1: function \"startsWith\" is called on a value"),
            Example("amount && true", "1:1: operand of \"&&\" must be bool, found int"),
            Example("amount ? 1 : 2", "1:1: condition of \"?:\" must be bool, found int"),
            Example("true ? 1 : 'a'", "1:6: branches of \"?:\" have different types: int and string"),
            Example("tags['a']", "1:5: a list index must be int, found string"),
            Example("labels[1]", "1:7: the key must be string, found int"),
            Example("status.name", "1:8: string has no field \"name\""),
            Example("amount[0]", "1:7: int has no elements"),
            Example("1 in tags", "1:3: operator \"in\" does not take (int, list<string>)"),
            Example("amount.all(x, true)", "1:1: expected a list or a map, found int"),
            Example("tags.all(t, t)", "1:13: the condition of a macro must be bool, found string"),
            Example("{1.5: 1}", "1:2: a map key must be bool, int, uint or string, found double"),
            Example("[?1]", "1:3: expected an optional, found int"),
            Example("math.greatest(1, 'a')", "1:18: function \"math.greatest\" takes numbers, found string"),
            Example("status.matches('(')", "1:16: invalid regular expression: missing \")\""),
            Example("when.getHour()", "1:6: unknown function \"getHour\" (did you mean \"getHours\"?)"),
        ])
    func mistakes(_ example: Example) { #expect(problems(example.text, Self.environment) == [example.expected]) }

    @Test("All errors are reported together, ordered by position")
    func allMistakes() {
        let found = problems("statos == 'a' &&\n  amuont > 1 ||\n  status.foo()", Self.environment)
        #expect(
            found == [
                "1:1: unknown name \"statos\" (did you mean \"status\"?)",
                "2:3: unknown name \"amuont\" (did you mean \"amount\"?)", "3:10: unknown function \"foo\"",
            ])
        let many = Array(repeating: "x", count: 200).joined(separator: "||")
        #expect(problems(many).count == ExpressionLimits.problems)
    }

    @Test(
        "Types are found without declarations",
        arguments: [
            ("1 + 2", "int"), ("[1, 2]", "list<int>"), ("[1, 'a']", "list<dyn>"), ("{'a': 1u}", "map<string, uint>"),
            ("tags.map(t, t.size())", "list<int>"), ("labels.filter(k, true)", "list<string>"),
            ("payload.x", "dyn"), ("status == 'a' ? price : 0.0", "double"), ("tags[?0]", "optional<string>"),
            ("when - when", "duration"), ("when + duration('1s')", "timestamp"), ("price < amount", "bool"),
            ("labels.transformMap(k, v, k + string(v))", "map<string, string>"), ("cel.bind(x, 1u, x)", "uint"),
            ("optional.of(1).orValue(2)", "int"), ("tags.exists(t, t == 'x')", "bool"), ("type(1)", "type"),
        ])
    func types(_ text: String, _ type: String) throws {
        #expect(try Program(text, Self.environment).type.description == type)
    }

    @Test(
        "A text that is written for a duration, a time or an address must be one, if the environment asks for it",
        arguments: [
            ("duration('30d') > duration('1h')", ["1:10: \"30d\" is not a duration such as 1h30m or 250ms"]),
            (
                "timestamp('2026-11-30') == timestamp(0)",
                ["1:11: \"2026-11-30\" is not a timestamp such as 2026-11-30T12:00:00Z"]
            ),
            ("ip('1.2.3').family() == 4", ["1:4: \"1.2.3\" is not an IP address"]),
            ("cidr('10.0.0.0/33').prefixLength() > 1", ["1:6: \"10.0.0.0/33\" is not an address range"]),
            ("duration('1' + 'x') > duration('1h')", ["1:14: \"1x\" is not a duration such as 1h30m or 250ms"]),
            ("duration(status) > duration('1h') || ip('::1').family() == 6", []), ("int('x') == 1", []),
        ])
    func literals(text: String, expected: [String]) throws {
        var environment = ExpressionEnvironment([.init("status", .string)])
        #expect(problems(text, environment) == [])
        environment.checksLiterals = true
        #expect(problems(text, environment) == expected)
    }

    @Test("The result must have the type that the caller asks for")
    func resultType() {
        do {
            _ = try Program("amount + 1", Self.environment, result: .bool)
            Issue.record("accepted")
        } catch {
            #expect(error.description == "1:8: expected bool, found int")
        }
        #expect(throws: Never.self) { try Program("payload", Self.environment, result: .bool) }
    }

    @Test("A condition that compares strings is evaluated without allocating values")
    func comparisons() throws {
        struct Bytes: VariableSource, ~Copyable {
            func value(of variable: Int) throws(EvaluationError) -> Value? { throw EvaluationError("a value was made") }
            func compare(_ variable: Int, with bytes: [UInt8]) -> TextComparison {
                bytes == Array("revoked".utf8) ? .equal : .different
            }
        }
        for (text, holds) in [
            ("status == 'revoked'", true), ("'active' == status", false), ("status in ['active', 'revoked']", true),
            ("status == 'revoked' && status == 'active'", false),
        ] {
            #expect(try Program(text, Self.environment).test(Bytes()) == holds, "\(text)")
        }
        #expect(throws: EvaluationError("a value was made")) {
            try Program("status != 'revoked'", Self.environment).test(Bytes())
        }
    }

    @Test("Every declared signature parses, and every function is declared")
    func declarations() {
        let declared = Declarations.declared.map { $0.functions.count * $0.forms.count }.reduce(0, +)
        #expect(Declarations.overloads.values.map(\.count).reduce(0, +) == declared)
        for function in Function.allCases {
            #expect(Declarations.overloads[function] != nil, "\(function)")
        }
    }

    @Test("A program knows the variables that it uses")
    func variablesInUse() throws {
        #expect(try Program("amount > 1 && has(tags) && amount < 5", Self.environment).variables == [1, 4])
    }

    @Test(
        "A type survives being written and parsed", arguments: ["int", "list<map<string, optional<double>>>", "net.IP"])
    func typeText(_ text: String) { #expect(ExpressionType(text)?.description == text) }

    @Test("A malformed type is refused", arguments: ["", "list", "list<int", "map<int>", "int>", "foo"])
    func malformedType(_ text: String) { #expect(ExpressionType(text) == nil) }
}
