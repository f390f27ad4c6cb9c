import StageKit

/// A pattern for a whole value, matched with one step per byte for every pattern and value.
///
/// A deterministic automaton, made once by the subset construction (Rabin and Scott, 1959): no pattern can make it go
/// back and try again. The states it may have are limited, so that a pattern that would need too many is refused when
/// the file is read.
public struct Pattern: Sendable, CustomStringConvertible {
    /// The most states of the automaton: its table has at most 2 MiB.
    static let stateLimit = 4096
    /// The most steps to make it: well under a second.
    static let workLimit = 5_000_000

    /// The pattern's text.
    public let description: String
    /// For each byte, which of the pattern's kinds of bytes it is.
    private let kinds: [UInt8]
    private let kindCount: Int
    /// For each state and kind the next state; 0 where nothing can match any more.
    private let table: [UInt16]
    private let accepts: [Bool]

    /// The state that nothing leads out of.
    private static let dead = 0
    private static let start = 1

    /// Makes the automaton; throws where the text is no pattern or takes too much.
    init(_ text: String) throws(PatternProblem) {
        let automaton = try PatternAutomaton(try PatternParser.parse(text))
        var construction = SubsetConstruction(automaton)
        try construction.run()
        self.description = text
        self.kinds = construction.kinds
        self.kindCount = construction.kindCount
        self.table = construction.table
        self.accepts = construction.accepts
    }

    /// Whether the whole value matches the pattern.
    func matches(_ value: Span<UInt8>) -> Bool {
        var state = Pattern.start
        for index in value.indices {
            state = Int(self.table[state * self.kindCount + Int(self.kinds[Int(value[index])])])
            if state == Pattern.dead { return false }
        }
        return self.accepts[state]
    }

    /// The form in the file.
    static let type = SettingType<Pattern>(shape: .form("a pattern that covers the whole value")) { node, issues in
        guard let text = SettingType<String>.text.decode(node, &issues) else { return nil }
        do throws(PatternProblem) {
            return try Pattern(text)
        } catch {
            let place = error.position.map { "character \($0): " } ?? ""
            issues.add("\(place)\(error.message)", at: node.mark)
            return nil
        }
    }
}

/// Makes one state of each set of states that the automaton can be in at once.
private struct SubsetConstruction {
    let automaton: PatternAutomaton
    private(set) var kinds: [UInt8] = Array(repeating: 0, count: 256)
    private(set) var kindCount = 0
    private(set) var table: [UInt16] = []
    private(set) var accepts: [Bool] = []
    /// A byte of each kind.
    private var samples: [UInt8] = []
    private var indexes: [[Int]: Int] = [:]
    private var sets: [[Int]] = []
    private var work = 0

    init(_ automaton: PatternAutomaton) {
        self.automaton = automaton
        // Bytes between the same bounds of ranges are never told apart.
        var isBound = Array(repeating: false, count: 257)
        for state in automaton.states {
            for (bytes, _) in state.taking {
                isBound[Int(bytes.lowerBound)] = true
                isBound[Int(bytes.upperBound) + 1] = true
            }
        }
        for byte in 0..<256 {
            if byte == 0 || isBound[byte] {
                self.samples.append(UInt8(byte))
                self.kindCount += 1
            }
            self.kinds[byte] = UInt8(self.kindCount - 1)
        }
    }

    mutating func run() throws(PatternProblem) {
        _ = try self.index(of: [])
        _ = try self.index(of: try self.closure(of: [0]))
        var next = 0
        while next < self.sets.count {
            let set = self.sets[next]
            for sample in self.samples {
                var targets: Set<Int> = []
                for state in set {
                    for (bytes, target) in self.automaton.states[state].taking where bytes.contains(sample) {
                        targets.insert(target)
                    }
                }
                self.work += set.count + 1
                let target = try self.index(of: try self.closure(of: targets))
                self.table.append(UInt16(target))
            }
            next += 1
        }
    }

    private mutating func index(of set: [Int]) throws(PatternProblem) -> Int {
        if let index = self.indexes[set] { return index }
        guard self.sets.count < Pattern.stateLimit else { throw PatternAutomaton.tooLarge }
        self.indexes[set] = self.sets.count
        self.sets.append(set)
        self.accepts.append(set.contains(self.automaton.end))
        return self.sets.count - 1
    }

    /// The states that are reached without a byte, in order.
    private mutating func closure(of states: Set<Int>) throws(PatternProblem) -> [Int] {
        var reached = states
        var waiting = Array(states)
        while let state = waiting.popLast() {
            self.work += 1
            for target in self.automaton.states[state].free where reached.insert(target).inserted {
                waiting.append(target)
            }
        }
        guard self.work <= Pattern.workLimit else { throw PatternAutomaton.tooLarge }
        return reached.sorted()
    }
}
