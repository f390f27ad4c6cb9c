import CEL

/// Expressions: parsed, checked and evaluated, both with and without a check of types.
struct CELInput: FuzzedInput {
    static let name = "CEL"
    static let seeds = [
        "status == 'revoked' && at_ms > 0", "has(tag) ? size(tag) : 1u + 2u", "[1, 2u, 3.0].exists(x, x == n)",
        "{'a': [1, {2: b'\\xff'}]}.a[1][2] != b''", "tags.map(t, t.upperAscii()).filter(t, t in ['A', 'B']).join('-')",
        "cel.bind(x, tags, x.transformMap(i, t, i > 0, t + t))", "'%s %.3f %x'.format([n, 1.5, tag])",
        "tag.matches('^(a|b+)*[^c-e]{2,5}\\\\d$')", "timestamp('2024-02-29T23:59:60Z') + duration('1h1.5ms')",
        "optional.of(n).optMap(v, v * 2).orValue(-9223372036854775808)", "tags.?x.or({?'k': tags[?0]}[?'k'])",
        "cidr('10.0.0.0/8').containsIP(ip('::ffff:0:1')) || isIP(tag)", "math.greatest(1, n, 2.5e300) / 0.0 % 3",
        "tag.replace('a', tag).split('').slice(0, 3).sort().distinct()", "-(-1) < int(double('1e3')) ? type(n) : int",
        "r'''\n''' + \"\\u00e4\\U0001F431\" // comment", "tags.all(i, t, t.substring(i).indexOf('a', 1) >= -1)",
    ].map { Array($0.utf8) }
    private static let meaningful = Array("()[]{}.,?:'\"`+-*/%<>=!&|\\ \n0129aexuUrb_".utf8)
    /// Whole tokens, which keep more of the mutated expressions valid.
    private static let tokens = [
        " && ", " || ", " == ", " in ", "tags", "tag", "n", "status", ".map(x, x + x)", ".all(x, x != n)", ".size()",
        "[0]", ".?a",
        "1.0", "2u", "null", "'a'", "dyn(", "string(", "lists.range(99999)", ".flatten(9)", ".reverse()", ".trim()",
        "(((",
        ".exists(a, b, a == b)", "cel.bind(y, tags + tags, y + y)", ".matches(tag)", ".format(tags)",
    ].map { Array($0.utf8) }
    /// A low limit, so that millions of inputs can be evaluated.
    private static let cost = 20_000

    private let environments: [ExpressionEnvironment]
    private let values: VariableValues

    init() {
        var environment = ExpressionEnvironment([
            .init("status", .string), .init("at_ms", .int), .init("tag", .string), .init("tags", .list(.string)),
            .init("n", .dyn),
        ])
        environment.allowsHasOfVariables = true
        var unchecked = environment
        unchecked.isChecked = false
        self.environments = [environment, unchecked]
        self.values = VariableValues([
            .string("revoked"), .int(7), nil, .list([.string("aab"), .string("\u{e4}\u{1F431}")]), .double(2.5),
        ])
    }

    func make(_ random: inout Mutator) -> [UInt8] {
        var bytes = random.mutate(Self.seeds, Self.meaningful, joined: 1, changes: 2)
        for _ in 0..<random.below(3) {
            let token = Self.tokens[random.below(Self.tokens.count)]
            bytes.insert(contentsOf: token, at: random.below(bytes.count + 1))
        }
        return bytes
    }

    mutating func read(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        var isTaken = false
        for environment in self.environments {
            guard let program = try? Program(text, environment) else { continue }
            isTaken = true
            guard let (_, cost) = try? program.evaluateWithCost(self.values, limit: Self.cost) else { continue }
            precondition(cost > 0 && cost <= Self.cost, "an evaluation beyond its cost limit")
        }
        return isTaken
    }
}
