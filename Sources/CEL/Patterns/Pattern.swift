/// A regular expression in the syntax of RE2, matched in time proportional to the length of the text.
///
/// All alternatives are followed at the same time, one code point after the other, so that no expression can make the
/// match take exponential time. Captures, which the language has no use for, are not recorded.
struct Pattern: Sendable {
    /// An instruction.
    enum Instruction: Sendable {
        /// Matches a code point of a set.
        case set(Int)
        /// Continues at both instructions.
        case split(Int, Int)
        case jump(Int)
        /// Continues if a condition holds at this position.
        case assertion(PatternAssertion)
        case match
    }

    private let instructions: [Instruction]
    private let sets: [ScalarSet]

    /// The number of instructions.
    var size: Int { self.instructions.count }

    /// Compiles a regular expression.
    init(_ source: String) throws(PatternError) {
        let node = try PatternParser.parse(source)
        var builder = PatternBuilder()
        try builder.add(node)
        try builder.add(.match)
        self.instructions = builder.instructions
        self.sets = builder.sets
    }

    /// Returns whether a part of the text matches.
    func matches(_ text: String, _ meter: inout CostMeter) throws(EvaluationError) -> Bool {
        var current = ThreadList(self.instructions.count)
        var next = ThreadList(self.instructions.count)
        var previous: Unicode.Scalar?
        var scalars = text.unicodeScalars.makeIterator()
        var scalar = scalars.next()
        while true {
            if self.follow(0, &current, previous, scalar) { return true }
            guard let character = scalar else { return false }
            try meter.charge(1 + current.waiting.count)
            scalar = scalars.next()
            for at in current.waiting {
                guard case .set(let set) = self.instructions[at], self.sets[set].contains(character) else { continue }
                if self.follow(at + 1, &next, character, scalar) { return true }
            }
            swap(&current, &next)
            next.removeAll()
            previous = character
        }
    }

    /// Adds all instructions that wait for a code point and can be reached from one.
    ///
    /// - Returns: Whether the end of the expression can be reached.
    private func follow(
        _ start: Int, _ list: inout ThreadList, _ previous: Unicode.Scalar?, _ next: Unicode.Scalar?
    ) -> Bool {
        list.pending.append(start)
        while let at = list.pending.popLast() {
            guard list.visit(at) else { continue }
            switch self.instructions[at] {
            case .set: list.waiting.append(at)
            case .split(let first, let second):
                list.pending.append(second)
                list.pending.append(first)
            case .jump(let target): list.pending.append(target)
            case .assertion(let assertion):
                if assertion.holds(previous, next) { list.pending.append(at + 1) }
            case .match: return true
            }
        }
        return false
    }
}

/// The instructions that are active at a position of the text.
private struct ThreadList {
    /// The instructions that wait for a code point.
    var waiting: [Int] = []
    /// The instructions that are still to be followed.
    var pending: [Int] = []
    /// The round in which each instruction was last reached.
    private var visited: [Int]
    private var round = 1

    init(_ count: Int) { self.visited = Array(repeating: 0, count: count) }

    mutating func visit(_ at: Int) -> Bool {
        if self.visited[at] == self.round { return false }
        self.visited[at] = self.round
        return true
    }

    mutating func removeAll() {
        self.waiting.removeAll(keepingCapacity: true)
        self.pending.removeAll(keepingCapacity: true)
        self.round += 1
    }
}

/// A condition on a position of the text.
enum PatternAssertion: Sendable {
    case textStart, textEnd, lineStart, lineEnd, wordBoundary, noWordBoundary

    /// Returns whether the condition holds between two code points.
    func holds(_ previous: Unicode.Scalar?, _ next: Unicode.Scalar?) -> Bool {
        switch self {
        case .textStart: previous == nil
        case .textEnd: next == nil
        case .lineStart: previous == nil || previous == "\n"
        case .lineEnd: next == nil || next == "\n"
        case .wordBoundary: Self.isWord(previous) != Self.isWord(next)
        case .noWordBoundary: Self.isWord(previous) == Self.isWord(next)
        }
    }

    private static func isWord(_ scalar: Unicode.Scalar?) -> Bool {
        guard let scalar, scalar.isASCII else { return false }
        return UInt8(scalar.value).isNamePart
    }
}

/// The error that a text is no regular expression.
struct PatternError: Error {
    /// The message.
    var message: String
}

/// The parts of a regular expression.
indirect enum PatternNode {
    case empty
    case set(ScalarSet)
    case assertion(PatternAssertion)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    case repetition(PatternNode, ClosedRange<Int>?, least: Int)

    /// A sequence without the parts that match nothing but the empty text, so that every part makes an instruction.
    static func joined(_ parts: [PatternNode]) -> PatternNode {
        let parts = parts.filter { if case .empty = $0 { false } else { true } }
        return parts.isEmpty ? .empty : (parts.count == 1 ? parts[0] : .sequence(parts))
    }

    /// A repetition; `most` is `nil` for any number.
    static func repeated(_ node: PatternNode, _ least: Int, _ most: Int?) -> PatternNode {
        if case .empty = node { return .empty }
        if most == 0 { return .empty }
        return .repetition(node, most.map { least...$0 }, least: least)
    }
}

/// Makes the instructions of a regular expression.
struct PatternBuilder {
    /// The instructions.
    var instructions: [Pattern.Instruction] = []
    /// The sets of code points.
    var sets: [ScalarSet] = []

    /// Adds an instruction.
    mutating func add(_ instruction: Pattern.Instruction) throws(PatternError) {
        guard self.instructions.count < ExpressionLimits.patternInstructions else {
            throw PatternError(message: "too large")
        }
        self.instructions.append(instruction)
    }

    /// Adds the instructions of a part.
    mutating func add(_ node: PatternNode) throws(PatternError) {
        switch node {
        case .empty: break
        case .set(let set):
            self.sets.append(set)
            try self.add(.set(self.sets.count - 1))
        case .assertion(let assertion): try self.add(Pattern.Instruction.assertion(assertion))
        case .sequence(let parts): for part in parts { try self.add(part) }
        case .alternatives(let parts):
            var jumps: [Int] = []
            for (index, part) in parts.enumerated() {
                let isLast = index == parts.count - 1
                let split = self.instructions.count
                if !isLast { try self.add(.jump(0)) }
                try self.add(part)
                guard !isLast else { continue }
                jumps.append(self.instructions.count)
                try self.add(.jump(0))
                self.instructions[split] = .split(split + 1, self.instructions.count)
            }
            for jump in jumps { self.instructions[jump] = .jump(self.instructions.count) }
        case .repetition(let part, let range, let least):
            for _ in 0..<least { try self.add(part) }
            guard let range else { return try self.loop(part) }
            var splits: [Int] = []
            for _ in least..<range.upperBound {
                splits.append(self.instructions.count)
                try self.add(.jump(0))
                try self.add(part)
            }
            for split in splits { self.instructions[split] = .split(split + 1, self.instructions.count) }
        }
    }

    private mutating func loop(_ part: PatternNode) throws(PatternError) {
        let split = self.instructions.count
        try self.add(.jump(0))
        try self.add(part)
        try self.add(.jump(split))
        self.instructions[split] = .split(split + 1, self.instructions.count)
    }
}
