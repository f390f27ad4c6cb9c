import Foundation
import Testing

/// The language of comments, documentation, messages and test names: the words that readers had to translate stay out.
///
/// A floor, not a measure of quality: it counts patterns that plain technical English rarely needs.
@Suite struct WordsTests {
    private static let root = ProjectSource.root

    /// A kind of text, with the words in all files of the project.
    enum Kind: String, CaseIterable, Sendable {
        case documentation, comments, markdown
        /// String literals with a space in the product's sources: messages, help and descriptions.
        case messages
        /// The sentences of tests and suites.
        case testNames
    }

    /// A pattern and how often it may occur in 1,000 words.
    struct Rule: Sendable, CustomTestStringConvertible {
        let name: String
        let pattern: String
        let limit: Double
        var testDescription: String { self.name }
    }

    static let rules = [
        Rule(name: "tell", pattern: #"\b(tell|tells|told|telling)\b"#, limit: 0.2),
        Rule(
            name: "where in place of if", pattern: #"\bwhere (there|it|that|the|a|an|no|none|nothing|one|they|who)\b"#,
            limit: 1.0),
        Rule(
            name: "a clause in place of a noun",
            pattern:
                #"\b(what|whoever|who) (is|are|was|it|they|the|a|has|have|came|comes|becomes|happens|this|that|to)\b"#,
            limit: 0.5),
        Rule(name: "look-up", pattern: #"\blook-ups?\b"#, limit: 0),
        Rule(
            name: "odd words",
            pattern:
                #"\b(befalls?|dearer|henceforth|thereof|anew|lends?|lent|in hand|at once|so many|its way)\b"#,
            limit: 0.3),
    ]

    /// Words that have a plain replacement in every message; none may occur.
    static let banned = Rule(
        name: "banned words",
        pattern: #"\b(tells?|told|telling|look-ups?|befalls?|whoever|senseless|grave|anew|lent|at once|in hand|"#
            + #"so many|its way|verbs?|folders?|mistakes?)\b"#,
        limit: 0)

    /// The text of each kind with the number of its words, read once for all rules.
    private static let texts = Result {
        try Dictionary(
            uniqueKeysWithValues: Kind.allCases.map { kind in
                let text = try text(of: kind)
                return (kind, (text: text, words: text.split { $0 == " " || $0 == "\n" }.count))
            })
    }

    /// The text of a kind in all tracked directories.
    private static func text(of kind: Kind) throws -> String {
        let folders =
            switch kind {
            case .markdown: ["Sources", "Plugins", ".github"]
            case .testNames: ["Tests", "Plugins"]
            case .documentation, .comments, .messages: ["Sources", "Plugins"]
            }
        guard kind == .markdown else {
            return try ProjectSource.files(below: folders)
                .filter { "/\($0.path)".contains("/Tests/") == (kind == .testNames) }
                .map { self.piece($0, kind) }.joined(separator: "\n")
        }
        var pieces: [String] = []
        for folder in folders {
            let base = self.root.appendingPathComponent(folder)
            let files = try #require(FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil))
            for case let file as URL in files where file.pathExtension == "md" {
                pieces.append(try String(contentsOf: file, encoding: .utf8))
            }
        }
        for name in ["README.md", "CHANGELOG.md"] {
            pieces.append(try String(contentsOf: self.root.appendingPathComponent(name), encoding: .utf8))
        }
        return pieces.joined(separator: "\n")
    }

    /// The part of a source that is of the kind.
    private static func piece(_ source: ProjectSource, _ kind: Kind) -> String {
        switch kind {
        case .markdown: return source.text
        case .messages:
            return StringLiterals(of: source.text).texts.filter { $0.contains(" ") }.joined(separator: "\n")
        case .testNames:
            return source.text.matches(of: #/@(?:Test|Suite)\(\s*"((?:[^"\\\n]|\\.)*)"/#).map { String($0.output.1) }
                .joined(separator: "\n")
        case .documentation, .comments: return self.comments(source, kind)
        }
    }

    private static func comments(_ source: ProjectSource, _ kind: Kind) -> String {
        source.lines.compactMap { line -> String? in
            guard line.has("//") else { return nil }
            let line = line.drop { $0 == " " }
            let isDocumentation = line.hasPrefix("///")
            guard line.hasPrefix("//"), isDocumentation == (kind == .documentation) else { return nil }
            return String(line.drop { $0 == "/" })
        }.joined(separator: "\n")
    }

    @Test("All texts are in plain technical English", arguments: Kind.allCases, rules)
    func words(kind: Kind, rule: Rule) throws {
        try self.check(kind, rule)
    }

    @Test("Messages and test names have no banned words", arguments: [Kind.messages, .testNames])
    func bannedWords(kind: Kind) throws {
        try self.check(kind, Self.banned)
    }

    @Test(
        "The literals of a source are found without comments and interpolations",
        arguments: [
            ("let a = \"one two\" // \"three\"", ["one two"]),
            ("f(\"a \\(b.joined(separator: \", \")) c\")", [", ", "a  c"]),
            ("\"say \\\"x\\\"\" + \"y\"", ["say \\\"x\\\"", "y"]),
            ("#\"raw \" \\(x) \"#", ["raw \" \\(x) "]),
            ("\"\"\"\nfirst \"line\"\n\"\"\" + \"z\"", ["\nfirst \"line\"\n", "z"]),
            ("\"a \\(f(\"(\") ? 1 : (2)) b\"", ["(", "a  b"]),
            ("/// \"not\" this\nlet b = \"this\"", ["this"]),
        ])
    func literals(source: String, expected: [String]) {
        #expect(StringLiterals(of: source).texts == expected)
    }

    /// Checks that the pattern of a rule is not more frequent than its limit.
    private func check(_ kind: Kind, _ rule: Rule) throws {
        let (text, words) = try #require(try Self.texts.get()[kind])
        try #require(words > 1000)
        let pattern = try NSRegularExpression(pattern: rule.pattern, options: .caseInsensitive)
        let matches = pattern.matches(in: text, range: NSRange(text.startIndex..., in: text))
        let rate = Double(matches.count) * 1000 / Double(words)
        let samples = matches.prefix(5).compactMap { match -> Substring? in
            let wide = NSRange(location: max(0, match.range.location - 40), length: match.range.length + 40)
            return Range(wide, in: text).map { text[$0] }
        }
        #expect(rate <= rule.limit, "\(matches.count) in \(words) words, such as \(samples)")
    }

    @Test("The README can be read in a few minutes")
    func length() throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent("README.md"), encoding: .utf8)
        #expect(text.split { $0 == " " || $0 == "\n" }.count <= 900)
    }
}
