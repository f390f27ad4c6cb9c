import StageKit
import Testing

@testable import ValidateStage

@Suite struct PatternTests {
    private func matches(_ pattern: String, _ value: [UInt8]) throws -> Bool {
        try Pattern(pattern).matches(value.span)
    }

    /// A pattern with values that have it and values that do not.
    struct Case: CustomTestStringConvertible {
        let pattern: String
        let yes: [String]
        let no: [String]
        var testDescription: String { self.pattern }

        init(_ pattern: String, _ yes: [String], not no: [String]) {
            self.pattern = pattern
            self.yes = yes
            self.no = no
        }
    }

    @Test(
        "A pattern must match the whole value",
        arguments: [
            Case("", [""], not: ["a", " "]),
            Case("abc", ["abc"], not: ["ab", "abcd", "xabc", "ABC", ""]),
            Case("^abc$", ["abc"], not: ["^abc$", "abcd"]),
            Case("a.c", ["abc", "a.c", "a c", "aéc", "a😀c"], not: ["ac", "a\nc", "abbc"]),
            Case("a*", ["", "a", "aaaa"], not: ["b", "aab"]),
            Case("a+", ["a", "aaaa"], not: ["", "b"]),
            Case("ab?c", ["ac", "abc"], not: ["abbc", "a"]),
            Case("a{3}", ["aaa"], not: ["aa", "aaaa", ""]),
            Case("a{2,}", ["aa", "aaaaaa"], not: ["a", ""]),
            Case("a{1,3}", ["a", "aa", "aaa"], not: ["", "aaaa"]),
            Case("a{0}", [""], not: ["a"]),
            Case("a{0,1}b", ["b", "ab"], not: ["aab"]),
            Case("cat|dog|", ["cat", "dog", ""], not: ["ca", "catdog", "cadog"]),
            Case("(a|b)*c", ["c", "abbac"], not: ["ab", "abdc"]),
            Case("(?:ab)+", ["ab", "abab"], not: ["", "aba"]),
            Case("(a*)*", ["", "aaa"], not: ["b"]),
            Case("(a*)+b|(a+)+", ["b", "aab", "aa"], not: ["", "ba"]),
            Case("()*", [""], not: ["a"]),
            Case("a(|b)c", ["ac", "abc"], not: ["abbc"]),
            Case("[abc]", ["a", "b", "c"], not: ["d", "", "ab", "-"]),
            Case("[a-cx]+", ["abcx"], not: ["d", "y", "-"]),
            Case("[-a]+", ["-a"], not: ["b"]),
            Case("[a-]+", ["-a"], not: ["b"]),
            Case("[^0-9]", ["a", "é", "\n", "😀"], not: ["0", "9", "", "aa"]),
            Case("[\\]\\\\^]+", ["]\\^"], not: ["a", "["]),
            Case("[\\d_]+", ["1_2"], not: ["a"]),
            Case("[äöü]+", ["äü"], not: ["a", "ä ", "é"]),
            Case("é|日本", ["é", "日本"], not: ["e", "日", "e\u{301}"]),
            Case("\\d+", ["0123456789"], not: ["", "a", "٥"]),
            Case("\\w+", ["aZ_09"], not: ["-", "é", ""]),
            Case("\\s+", [" \t\r\n"], not: ["a", "\u{A0}"]),
            Case("\\D\\W\\S", ["a-b", "é€é"], not: ["1-b", "aab", "a- "]),
            Case("\\n\\r\\t", ["\n\r\t"], not: ["nrt"]),
            Case("\\$\\^\\.\\*\\+\\?\\(\\)\\[\\]\\{\\}\\|\\\\", ["$^.*+?()[]{}|\\"], not: ["$^x*+?()[]{}|\\"]),
            Case("[a-z]+-[0-9]{1,12}", ["a-1", "order-123456789012"], not: ["-1", "a-", "a-1234567890123", "A-1"]),
            Case(
                "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ["123e4567-e89b-12d3-a456-426614174000"],
                not: ["123e4567-e89b-12d3-a456-42661417400", "123e4567e89b12d3a456426614174000"]),
            Case(".*end", ["end", "the end", "endend"], not: ["end.", "en"]),
            Case("(a|ab)(c|bcd)(d*)", ["abcd", "acd", "ac", "abcdd", "abc"], not: ["abd", "a"]),
        ])
    func whole(test: Case) throws {
        for value in test.yes {
            #expect(try self.matches(test.pattern, Array(value.utf8)), "\(value.debugDescription)")
        }
        for value in test.no {
            #expect(try !self.matches(test.pattern, Array(value.utf8)), "\(value.debugDescription)")
        }
    }

    @Test(
        "A value that is not UTF-8 matches no pattern",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xC3], [0x61, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82],
        ] as [[UInt8]])
    func notUTF8(value: [UInt8]) throws {
        #expect(try !self.matches("(.|\\n)*", value))
        #expect(try !self.matches("[^x]*", value))
    }

    @Test("A dot matches any UTF-8 character except a line feed", arguments: [0x80, 0x7FF, 0x800, 0xFFFF, 0x10FFFF])
    func dot(value: UInt32) throws {
        let scalar = try #require(Unicode.Scalar(value))
        #expect(try self.matches(".", Array(String(scalar).utf8)))
        #expect(try self.matches("..", Array(String(scalar).utf8)) == false)
    }

    @Test(
        "An error is reported with the position of its first character",
        arguments: [
            ("a(b", 2, "a ( without ) (write \\( for a literal one)"),
            ("ab)", 3, "a ) without ( (write \\) for a literal one)"),
            ("(?=a)", 1, "unsupported group: only (?: is allowed after (?"),
            ("*a", 1, "nothing to repeat before * (write \\* for a literal one)"),
            ("a|+", 3, "nothing to repeat before + (write \\+ for a literal one)"),
            ("a**", 3, "a quantifier after a quantifier (put the first one in a group)"),
            ("a+?", 3, "a quantifier after a quantifier (put the first one in a group)"),
            ("a{2}{3}", 5, "a quantifier after a quantifier (put the first one in a group)"),
            ("a{x}", 2, "expected {n}, {n,} or {n,m} (write \\{ for a literal brace)"),
            ("a{,3}", 2, "expected {n}, {n,} or {n,m} (write \\{ for a literal brace)"),
            ("a{1,2", 2, "expected {n}, {n,} or {n,m} (write \\{ for a literal brace)"),
            ("a{3,1}", 2, "{3,1} has the greater number first"),
            ("a{257}", 2, "the maximum of a count is 256"),
            ("a{1,99999999999999999999}", 2, "the maximum of a count is 256"),
            ("{2}", 1, "unexpected { (write \\{ for a literal one)"),
            ("a]", 2, "unexpected ] (write \\] for a literal one)"),
            ("[ab", 1, "a [ without ] (write \\[ for a literal one)"),
            ("x[]", 2, "an empty set"),
            ("[z-a]", 2, "the range z-a is reversed"),
            ("[a-ü]", 2, "the ends of a range must be ASCII characters"),
            ("[\\d-z]", 2, "the ends of a range must be letters or digits"),
            ("[^ü]", 1, "a set that begins with ^ may contain only ASCII characters"),
            ("\\b", 1, "unknown escape \\b (expected \\d \\w \\s \\D \\W \\S \\n \\r or \\t)"),
            ("(a)\\1", 4, "unknown escape \\1 (expected \\d \\w \\s \\D \\W \\S \\n \\r or \\t)"),
            ("ab\\", 3, "a \\ at the end (write \\\\ for a literal one)"),
            ("a^b", 2, "^ is allowed only at the beginning: a pattern always matches the whole value"),
            ("a$b", 2, "$ is allowed only at the end: a pattern always matches the whole value"),
            ("(a$)", 3, "$ is allowed only at the end: a pattern always matches the whole value"),
        ])
    func mistakes(pattern: String, position: Int, message: String) {
        #expect(throws: PatternProblem(position: position, message: message)) { try Pattern(pattern) }
    }

    @Test("Patterns beyond the limits are refused early")
    func limits() {
        let tooLarge = PatternAutomaton.tooLarge
        #expect(throws: PatternProblem(message: "a pattern has at most 1024 characters")) {
            try Pattern(String(repeating: "a", count: 1025))
        }
        #expect(throws: Never.self) { try Pattern(String(repeating: "a", count: 1024)) }
        let groups = String(repeating: "(", count: 33) + String(repeating: ")", count: 33)
        #expect(throws: PatternProblem(position: 33, message: "groups are nested more than 32 deep")) {
            try Pattern(groups)
        }
        #expect(throws: tooLarge) { try Pattern("((a{256}){256}){256}") }
        #expect(throws: tooLarge) { try Pattern("((((((){256}){256}){256}){256}){256}){256}") }
        // The classic that needs a state for each set of the last 21 letters.
        #expect(throws: tooLarge) { try Pattern("[ab]*a[ab]{20}") }
        #expect(throws: tooLarge) { try Pattern("(.{0,200}x){30}") }
    }

    @Test("Patterns that make backtracking matchers hang are matched in linear time")
    func noBacktracking() throws {
        let value = Array(String(repeating: "a", count: 100_000).utf8) + [UInt8(ascii: "!")]
        #expect(try !self.matches("(a+)+", value))
        #expect(try !self.matches("(a|a)*b", value))
        #expect(try !self.matches("(a*)*(a*)*(a*)*b", value))
        #expect(try self.matches("(a|aa)+!", value))
    }

    @Test("Every short pattern matches like a naive search by its definition")
    func model() throws {
        var values: [[UInt8]] = [[]]
        for length in 0..<5 {
            for value in values where value.count == length { values += [value + [0x61], value + [0x62]] }
        }
        let signs = ["a", "b", "(a|b)", "(ab|a)", "a*", "(ab)*", "b?", "(a|)", "[ab]", "a{2}", "b{0,2}", "(a*b)+"]
        for first in signs {
            for second in signs {
                let text = "\(first)\(second)|b\(second)\(first)"
                let pattern = try Pattern(text)
                let node = try PatternParser.parse(text)
                for value in values {
                    #expect(pattern.matches(value.span) == Model.ends(node, value, 0).contains(value.count), "\(text)")
                }
            }
        }
    }
}

/// The meaning of patterns written down as it is defined: the places in a value at which a match can end.
private enum Model {
    static func ends(_ node: PatternNode, _ value: [UInt8], _ start: Int) -> Set<Int> {
        switch node {
        case .character(let set):
            return start < value.count && set.contains(value[start]) ? [start + 1] : []
        case .sequence(let parts):
            return parts.reduce([start]) { places, part in
                places.reduce(into: []) { $0.formUnion(self.ends(part, value, $1)) }
            }
        case .choice(let branches):
            return branches.reduce(into: []) { $0.formUnion(self.ends($1, value, start)) }
        case .repetition(let part, let minimum, let maximum):
            var places: Set<Int> = [start]
            var found: Set<Int> = minimum == 0 ? places : []
            for count in 1...(maximum ?? minimum + value.count + 1) {
                places = places.reduce(into: []) { $0.formUnion(self.ends(part, value, $1)) }
                if count >= minimum { found.formUnion(places) }
            }
            return found
        }
    }
}
