/// A pattern as a nondeterministic automaton, whose transitions consume a byte or nothing (Thompson, "Regular
/// Expression Search Algorithm", 1968). Characters beyond ASCII are represented by their UTF-8 bytes.
struct PatternAutomaton {
    /// The maximum number of states: `.{1,256}` has about 2300.
    static let stateLimit = 8192
    /// The maximum number of steps to create the states; empty groups take steps but no states.
    static let stepLimit = 65536

    /// A state with its outgoing transitions.
    struct State {
        /// The targets of transitions that consume nothing.
        var free: [Int] = []
        /// The transitions that consume a byte of a range.
        var taking: [(bytes: ClosedRange<UInt8>, target: Int)] = []
    }

    /// All states; the first is the start.
    private(set) var states = [State()]
    /// The final state.
    private(set) var end = 0
    private var steps = 0

    /// Creates the states of a pattern.
    init(_ node: PatternNode) throws(PatternProblem) {
        self.end = try self.add(node, from: 0)
    }

    private mutating func makeState() throws(PatternProblem) -> Int {
        guard self.states.count < Self.stateLimit else { throw Self.tooLarge }
        self.states.append(State())
        return self.states.count - 1
    }

    static var tooLarge: PatternProblem {
        PatternProblem(message: "the pattern needs too many states: lower the counts in braces")
    }

    private mutating func connect(_ source: Int, _ target: Int) {
        self.states[source].free.append(target)
    }

    private mutating func connect(_ source: Int, _ bytes: ClosedRange<UInt8>, _ target: Int) {
        self.states[source].taking.append((bytes, target))
    }

    /// Adds the states of a node after a state, and returns the node's final state.
    private mutating func add(_ node: PatternNode, from start: Int) throws(PatternProblem) -> Int {
        self.steps += 1
        guard self.steps <= Self.stepLimit else { throw Self.tooLarge }
        switch node {
        case .character(let set): return try self.add(set, from: start)
        case .sequence(let parts):
            var current = start
            for part in parts { current = try self.add(part, from: current) }
            return current
        case .choice(let branches):
            let end = try self.makeState()
            for branch in branches {
                let first = try self.makeState()
                self.connect(start, first)
                self.connect(try self.add(branch, from: first), end)
            }
            return end
        case .repetition(let part, let minimum, let maximum):
            return try self.add(part, minimum, maximum, from: start)
        }
    }

    private mutating func add(
        _ part: PatternNode, _ minimum: Int, _ maximum: Int?, from start: Int
    ) throws(PatternProblem) -> Int {
        var current = start
        for _ in 0..<minimum { current = try self.add(part, from: current) }
        let end = try self.makeState()
        guard let maximum else {
            let loop = try self.makeState()
            self.connect(current, loop)
            self.connect(try self.add(part, from: loop), loop)
            self.connect(loop, end)
            return end
        }
        for _ in minimum..<maximum {
            self.connect(current, end)
            current = try self.add(part, from: current)
        }
        self.connect(current, end)
        return end
    }

    private mutating func add(_ set: PatternCharacters, from start: Int) throws(PatternProblem) -> Int {
        let end = try self.makeState()
        var byte: UInt8 = 0
        while byte < 128 {
            guard set.contains(byte) else {
                byte += 1
                continue
            }
            var last = byte
            while last < 127, set.contains(last + 1) { last += 1 }
            self.connect(start, byte...last, end)
            byte = last + 1
        }
        if set.hasAllWide {
            try self.addAllWide(from: start, to: end)
        } else {
            for scalar in set.wide {
                let bytes = Array(String(scalar).utf8)
                var current = start
                for byte in bytes.dropLast() {
                    let next = try self.makeState()
                    self.connect(current, byte...byte, next)
                    current = next
                }
                if let byte = bytes.last { self.connect(current, byte...byte, end) }
            }
        }
        return end
    }

    /// Adds all characters beyond ASCII in well-formed UTF-8 (The Unicode Standard, table 3-7).
    private mutating func addAllWide(from start: Int, to end: Int) throws(PatternProblem) {
        let last = try self.makeState()
        let lastTwo = try self.makeState()
        let lastThree = try self.makeState()
        self.connect(last, 0x80...0xBF, end)
        self.connect(lastTwo, 0x80...0xBF, last)
        self.connect(lastThree, 0x80...0xBF, lastTwo)
        self.connect(start, 0xC2...0xDF, last)
        self.connect(start, 0xE1...0xEC, lastTwo)
        self.connect(start, 0xEE...0xEF, lastTwo)
        self.connect(start, 0xF1...0xF3, lastThree)
        let special: [(UInt8, second: ClosedRange<UInt8>, then: Int)] = [
            (0xE0, 0xA0...0xBF, last), (0xED, 0x80...0x9F, last), (0xF0, 0x90...0xBF, lastTwo),
            (0xF4, 0x80...0x8F, lastTwo),
        ]
        for (first, second, then) in special {
            let state = try self.makeState()
            self.connect(start, first...first, state)
            self.connect(state, second, then)
        }
    }
}
