/// Parses the text of a pattern by recursive descent.
struct PatternParser {
    /// The maximum length in characters: patterns have to be readable.
    static let lengthLimit = 1024
    /// The maximum nesting depth of groups: each level takes stack space.
    static let depthLimit = 32
    /// The highest count in `{n,m}`: each repetition takes its own states.
    static let repetitionLimit = 256

    private let text: [Unicode.Scalar]
    private var index = 0
    private var depth = 0

    private init(_ text: String) {
        self.text = Array(text.unicodeScalars)
    }

    /// Returns the tree of a pattern.
    static func parse(_ text: String) throws(PatternProblem) -> PatternNode {
        var parser = PatternParser(text)
        guard parser.text.count <= self.lengthLimit else {
            throw PatternProblem(message: "a pattern has at most \(self.lengthLimit) characters")
        }
        // The pattern always covers the complete value, so `^` and `$` are redundant.
        parser.skip("^")
        let node = try parser.choice()
        guard parser.index == parser.text.count else {
            throw parser.problem("a ) without ( (write \\) for a literal one)")
        }
        return node
    }

    private var next: Unicode.Scalar? {
        self.index < self.text.count ? self.text[self.index] : nil
    }

    private func problem(_ message: String, at index: Int? = nil) -> PatternProblem {
        PatternProblem(position: (index ?? self.index) + 1, message: message)
    }

    @discardableResult
    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
        if self.next == scalar { self.index += 1 } else { return false }
        return true
    }

    private mutating func choice() throws(PatternProblem) -> PatternNode {
        var branches = [try self.sequence()]
        while self.skip("|") { branches.append(try self.sequence()) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws(PatternProblem) -> PatternNode {
        var parts: [PatternNode] = []
        while let scalar = self.next, scalar != "|", scalar != ")" {
            if scalar == "$", self.index == self.text.count - 1, self.depth == 0 {
                self.index += 1
                break
            }
            parts.append(try self.quantified(try self.atom(scalar)))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func atom(_ scalar: Unicode.Scalar) throws(PatternProblem) -> PatternNode {
        let start = self.index
        self.index += 1
        switch scalar {
        case "(": return try self.group(from: start)
        case "[": return .character(try self.characterClass(from: start))
        case ".": return .character(.any)
        case "\\": return .character(try self.escape(from: start))
        case "*", "+", "?":
            throw self.problem("nothing to repeat before \(scalar) (write \\\(scalar) for a literal one)", at: start)
        case "{", "}", "]":
            throw self.problem("unexpected \(scalar) (write \\\(scalar) for a literal one)", at: start)
        case "^":
            throw self.problem(
                "^ is allowed only at the beginning: a pattern always matches the whole value", at: start)
        case "$":
            throw self.problem("$ is allowed only at the end: a pattern always matches the whole value", at: start)
        default: return .character(PatternCharacters(scalar))
        }
    }

    private mutating func group(from start: Int) throws(PatternProblem) -> PatternNode {
        if self.skip("?"), !self.skip(":") {
            throw self.problem("unsupported group: only (?: is allowed after (?", at: start)
        }
        guard self.depth < Self.depthLimit else {
            throw self.problem("groups are nested more than \(Self.depthLimit) deep", at: start)
        }
        self.depth += 1
        let node = try self.choice()
        self.depth -= 1
        guard self.skip(")") else { throw self.problem("a ( without ) (write \\( for a literal one)", at: start) }
        return node
    }

    private mutating func quantified(_ node: PatternNode) throws(PatternProblem) -> PatternNode {
        let result: PatternNode
        switch self.next {
        case "*": result = .repetition(node, minimum: 0, maximum: nil)
        case "+": result = .repetition(node, minimum: 1, maximum: nil)
        case "?": result = .repetition(node, minimum: 0, maximum: 1)
        case "{": result = try self.counted(node)
        default: return node
        }
        self.index += 1
        if let again = self.next, ["*", "+", "?", "{"].contains(again) {
            throw self.problem("a quantifier after a quantifier (put the first one in a group)")
        }
        return result
    }

    /// Parses `{n}`, `{n,}` or `{n,m}`; stops at the closing brace.
    private mutating func counted(_ node: PatternNode) throws(PatternProblem) -> PatternNode {
        let start = self.index
        self.index += 1
        guard let minimum = try self.number(start) else {
            throw self.problem("expected {n}, {n,} or {n,m} (write \\{ for a literal brace)", at: start)
        }
        var maximum: Int? = minimum
        if self.skip(",") { maximum = try self.number(start) }
        guard self.next == "}" else {
            throw self.problem("expected {n}, {n,} or {n,m} (write \\{ for a literal brace)", at: start)
        }
        if let maximum, maximum < minimum {
            throw self.problem("{\(minimum),\(maximum)} has the greater number first", at: start)
        }
        return .repetition(node, minimum: minimum, maximum: maximum)
    }

    private mutating func number(_ start: Int) throws(PatternProblem) -> Int? {
        var value: Int?
        while let scalar = self.next, ("0"..."9").contains(scalar) {
            let digits = (value ?? 0) * 10 + Int(scalar.value - 0x30)
            guard digits <= Self.repetitionLimit else {
                throw self.problem("the maximum of a count is \(Self.repetitionLimit)", at: start)
            }
            value = digits
            self.index += 1
        }
        return value
    }
}

// MARK: - Sets of characters

extension PatternParser {
    private mutating func escape(from start: Int) throws(PatternProblem) -> PatternCharacters {
        guard let scalar = self.next else {
            throw self.problem("a \\ at the end (write \\\\ for a literal one)", at: start)
        }
        self.index += 1
        var set: PatternCharacters
        switch scalar {
        case "d", "D": set = .digits
        case "w", "W": set = .word
        case "s", "S": set = .space
        case "n": return PatternCharacters("\n")
        case "r": return PatternCharacters("\r")
        case "t": return PatternCharacters("\t")
        case _ where scalar.isASCII && !PatternCharacters.word.contains(UInt8(scalar.value)):
            return PatternCharacters(scalar)
        default:
            throw self.problem(
                "unknown escape \\\(scalar) (expected \\d \\w \\s \\D \\W \\S \\n \\r or \\t)", at: start)
        }
        if ["D", "W", "S"].contains(scalar) { set.invert() }
        return set
    }

    /// Parses the text between `[` and `]`.
    private mutating func characterClass(from start: Int) throws(PatternProblem) -> PatternCharacters {
        var set = PatternCharacters()
        let isInverted = self.skip("^")
        while !self.skip("]") {
            guard let first = self.next else {
                throw self.problem("a [ without ] (write \\[ for a literal one)", at: start)
            }
            let place = self.index
            self.index += 1
            if first == "\\" {
                let escaped = try self.escape(from: place)
                if self.next == "-", self.isRange {
                    throw self.problem("the ends of a range must be letters or digits", at: place)
                }
                set.formUnion(escaped)
            } else if self.next == "-", self.isRange {
                self.index += 1
                try self.insertRange(from: first, at: place, into: &set)
            } else {
                set.insert(first)
            }
        }
        if set == PatternCharacters() { throw self.problem("an empty set", at: start) }
        if isInverted {
            guard set.wide.isEmpty else {
                throw self.problem("a set that begins with ^ may contain only ASCII characters", at: start)
            }
            set.invert()
        }
        return set
    }

    /// Whether the next character, `-`, is followed by a character that ends a range.
    private var isRange: Bool {
        self.index + 1 < self.text.count && self.text[self.index + 1] != "]"
    }

    private mutating func insertRange(
        from first: Unicode.Scalar, at place: Int, into set: inout PatternCharacters
    ) throws(PatternProblem) {
        guard let last = self.next else { return }
        self.index += 1
        guard first.isASCII, last.isASCII, last != "\\" else {
            throw self.problem("the ends of a range must be ASCII characters", at: place)
        }
        guard first <= last else { throw self.problem("the range \(first)-\(last) is reversed", at: place) }
        for value in first.value...last.value { set.insert(Unicode.Scalar(UInt8(value))) }
    }
}
