/// Parses regular expressions in the syntax of RE2.
struct PatternParser {
    /// The options that `(?ims)` sets.
    struct Flags {
        var ignoresCase = false
        var isMultiline = false
        var dotMatchesNewline = false
    }

    /// The code points.
    let scalars: [Unicode.Scalar]
    /// The index of the next one.
    var index = 0
    /// The options at this position.
    var flags = Flags()
    private var depth = 0

    /// The maximum nesting of groups, which bounds the recursion.
    private static let nesting = 100

    /// Parses a whole expression.
    static func parse(_ source: String) throws(PatternError) -> PatternNode {
        var parser = PatternParser(scalars: Array(source.unicodeScalars))
        let node = try parser.alternatives()
        guard parser.index == parser.scalars.count else { throw PatternError(message: "unexpected \")\"") }
        return node
    }

    private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

    /// The next code point, or `nil` at the end.
    var next: Unicode.Scalar? { self.index < self.scalars.count ? self.scalars[self.index] : nil }

    /// Moves past a code point if it comes next.
    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard self.next == scalar else { return false }
        self.index += 1
        return true
    }

    /// Moves past a text if it comes next.
    mutating func take(_ text: String) -> Bool {
        guard self.scalars[self.index...].starts(with: text.unicodeScalars) else { return false }
        self.index += text.unicodeScalars.count
        return true
    }

    private mutating func alternatives() throws(PatternError) -> PatternNode {
        self.depth += 1
        defer { self.depth -= 1 }
        guard self.depth <= Self.nesting else { throw PatternError(message: "nested too deeply") }
        var parts = [try self.sequence()]
        while self.take("|" as Unicode.Scalar) { parts.append(try self.sequence()) }
        return parts.count == 1 ? parts[0] : .alternatives(parts)
    }

    private mutating func sequence() throws(PatternError) -> PatternNode {
        var parts: [PatternNode] = []
        while let scalar = self.next, scalar != "|", scalar != ")" {
            if self.take("\\Q") {
                while self.index < self.scalars.count, !self.take("\\E") { parts.append(self.literal()) }
                continue
            }
            let part = try self.atom()
            parts.append(try self.repetition(part))
        }
        return .joined(parts)
    }

    private mutating func literal() -> PatternNode {
        let value = self.scalars[self.index].value
        self.index += 1
        return self.set(ScalarSet([value...value]))
    }

    /// A set with the options of this position.
    private func set(_ set: ScalarSet) -> PatternNode {
        var set = set
        set.ignoresCase = self.flags.ignoresCase
        return .set(set)
    }

    private mutating func repetition(_ part: PatternNode) throws(PatternError) -> PatternNode {
        var part = part
        var count = 0
        while let (least, most) = try self.quantifier() {
            count += 1
            guard count == 1 else { throw PatternError(message: "repeated repetition") }
            part = .repeated(part, least, most)
            // Which of several matches is preferred makes no difference.
            _ = self.take("?" as Unicode.Scalar)
        }
        return part
    }

    private mutating func quantifier() throws(PatternError) -> (Int, Int?)? {
        if self.take("*" as Unicode.Scalar) { return (0, nil) }
        if self.take("+" as Unicode.Scalar) { return (1, nil) }
        if self.take("?" as Unicode.Scalar) { return (0, 1) }
        let start = self.index
        guard self.take("{" as Unicode.Scalar), let least = self.number() else {
            self.index = start
            return nil
        }
        var most: Int? = least
        if self.take("," as Unicode.Scalar) { most = self.number() }
        guard self.take("}" as Unicode.Scalar) else {
            self.index = start
            return nil
        }
        guard least <= ExpressionLimits.patternRepetition, most ?? 0 <= ExpressionLimits.patternRepetition,
            most.map({ $0 >= least }) ?? true
        else { throw PatternError(message: "invalid repetition count") }
        return (least, most)
    }

    private mutating func number() -> Int? {
        let start = self.index
        var value = 0
        while let scalar = self.next, scalar.isASCII, UInt8(scalar.value).isDigit {
            value = min(value * 10 + Int(scalar.value - 0x30), 1_000_000)
            self.index += 1
        }
        return self.index == start ? nil : value
    }

    private mutating func atom() throws(PatternError) -> PatternNode {
        let scalar = self.scalars[self.index]
        switch scalar {
        case "(":
            self.index += 1
            return try self.group()
        case "[":
            self.index += 1
            return self.set(try self.characterClass())
        case ".":
            self.index += 1
            return .set(self.flags.dotMatchesNewline ? .any : .anyButNewline)
        case "^":
            self.index += 1
            return .assertion(self.flags.isMultiline ? .lineStart : .textStart)
        case "$":
            self.index += 1
            return .assertion(self.flags.isMultiline ? .lineEnd : .textEnd)
        case "*", "+", "?": throw PatternError(message: "nothing to repeat before \"\(scalar)\"")
        case "\\":
            self.index += 1
            return try self.escape()
        default: return self.literal()
        }
    }

    private mutating func escape() throws(PatternError) -> PatternNode {
        guard let scalar = self.next else { throw PatternError(message: "unfinished escape sequence") }
        let assertions: [Unicode.Scalar: PatternAssertion] = [
            "A": .textStart, "z": .textEnd, "b": .wordBoundary, "B": .noWordBoundary,
        ]
        if let assertion = assertions[scalar] {
            self.index += 1
            return .assertion(assertion)
        }
        if let set = try self.classEscape() { return self.set(set) }
        let value = try self.scalarEscape()
        return self.set(ScalarSet([value...value]))
    }

    private mutating func group() throws(PatternError) -> PatternNode {
        let outer = self.flags
        if self.take("?" as Unicode.Scalar) {
            if self.take("P<") || self.take("<" as Unicode.Scalar) {
                guard let end = self.scalars[self.index...].firstIndex(of: ">"), end > self.index else {
                    throw PatternError(message: "malformed group name")
                }
                self.index = end + 1
            } else if try self.options() {
                return .empty
            }
        }
        let node = try self.alternatives()
        guard self.take(")" as Unicode.Scalar) else { throw PatternError(message: "missing \")\"") }
        self.flags = outer
        return node
    }

    /// Reads options up to `:` or `)`.
    ///
    /// - Returns: Whether the group has no contents and the options hold to the end of the group around it.
    private mutating func options() throws(PatternError) -> Bool {
        var value = true
        while let scalar = self.next {
            self.index += 1
            switch scalar {
            case "i": self.flags.ignoresCase = value
            case "m": self.flags.isMultiline = value
            case "s": self.flags.dotMatchesNewline = value
            case "U": break
            case "-" where value: value = false
            case ":": return false
            case ")": return true
            default: throw PatternError(message: "unsupported group \"(?\(scalar)\"")
            }
        }
        throw PatternError(message: "missing \")\"")
    }
}
