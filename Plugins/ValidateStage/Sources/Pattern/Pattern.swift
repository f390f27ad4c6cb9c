import StageKit

/// A pattern for a complete value. Matching takes one step per byte, for every pattern and value.
///
/// The pattern is a deterministic automaton, built once by the subset construction (Rabin and Scott, 1959), so no
/// pattern causes backtracking. The number of states is limited: a pattern that would need too many is refused when the
/// file is read.
public struct Pattern: Sendable, CustomStringConvertible {
    /// The maximum number of states of the automaton: its table has at most 2 MiB.
    static let stateLimit = 4096
    /// The maximum number of steps to build the automaton: well under a second.
    static let workLimit = 5_000_000

    /// The pattern's text.
    public let description: String
    /// The kind of each byte. Bytes of the same kind are treated the same by the pattern.
    private let kinds: [UInt8]
    private let kindCount: Int
    /// The next state for each state and kind; 0 if no match is possible any more.
    private let table: [UInt16]
    private let accepts: [Bool]

    /// The state that no transition leaves.
    private static let dead = 0
    private static let start = 1

    /// Builds the automaton. Throws if the text is not a valid pattern or exceeds the limits.
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

    /// Returns whether the complete value matches the pattern.
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
            issues.add("\(place)\(error.message)", at: node.position)
            return nil
        }
    }
}

/// Creates one state for each set of states in which the automaton can be at the same time.
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
        // Bytes between the same bounds of ranges are never distinguished.
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

    /// Returns the states that can be reached without a byte, in order.
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
