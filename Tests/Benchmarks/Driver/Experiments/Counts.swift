import Foundation

/// What a drain takes that can be counted: the same from run to run, whatever else the machine does.
enum Countable: String, CaseIterable {
    /// Instructions, by valgrind's callgrind.
    case instructions
    /// Calls to the allocator, by a library that is loaded before it.
    case allocations

    /// The two lengths of streams whose difference is looked at: start and end of the process drop out of it. callgrind
    /// makes a program fifty times as slow.
    var events: (few: Int, many: Int) {
        switch self {
        case .instructions: (40_000, 120_000)
        case .allocations: (400_000, 1_200_000)
        }
    }
}

extension Bench {
    /// Sessions of the streams: all of them are there before the shorter stream ends, so that the store grows in neither.
    static let countedSessions = 8_000
    /// The stream that is counted over.
    private static let countedStream = "sluice:counts"

    /// How often a count above its bound is repeated.
    private static let countedRounds = 10

    /// What one more event takes in a drain of the shipped pipeline.
    ///
    /// On a busy machine a reply arrives in more parts, and each part takes instructions of its own. A count above the
    /// bound is therefore repeated, and the smallest total of each length counts: nothing makes a total too small.
    func count(_ what: Countable, _ server: BenchServer, readCount: Int, limit: Double) throws -> Double {
        var (few, many) = (Double.infinity, Double.infinity)
        var round = 0
        while true {
            round += 1
            few = min(few, try self.total(what, server, readCount, what.events.few))
            many = min(many, try self.total(what, server, readCount, what.events.many))
            let measured = (many - few) / Double(what.events.many - what.events.few)
            if measured <= limit || round == Self.countedRounds { return measured }
        }
    }

    /// What a drain of the first `events` of the stream takes in all.
    private func total(_ what: Countable, _ server: BenchServer, _ readCount: Int, _ events: Int) throws -> Double {
        let arguments = [
            "child", "drain", "--address", server.address, "--stream", Self.countedStream, "--count", "\(readCount)",
            "--events", "\(events)",
        ]
        switch what {
        case .instructions:
            let file = "\(self.folder)/callgrind.out"
            try Callgrind(into: self.folder, own: self.own).run(arguments, file: file)
            return try Callgrind.total(
                of: String(decoding: Data(contentsOf: URL(fileURLWithPath: file)), as: UTF8.self))
        case .allocations:
            let file = "\(self.folder)/allocations.txt"
            _ = try ChildProcess.run(
                self.own, arguments, isQuiet: true,
                environment: ["LD_PRELOAD": self.yardsticks.library("count_allocations"), "SLUICE_ALLOCATIONS": file])
            let text = try String(decoding: Data(contentsOf: URL(fileURLWithPath: file)), as: UTF8.self)
            guard let count = Double(text.filter { $0.isNumber }) else {
                throw ToolFailure(description: "the allocation counter wrote \"\(text)\"")
            }
            return count
        }
    }

    /// Loads the stream that is counted over.
    func loadCounted(_ server: BenchServer, for countables: [Countable]) throws {
        let events = countables.map(\.events.many).max() ?? 0
        try self.load(server, stream: Self.countedStream, events: events)
    }
}

/// Programs under valgrind's callgrind.
struct Callgrind {
    private let valgrind: String
    private let program: String

    /// Finds the tools and makes a copy of the program that valgrind 3.19 can read: it does not know Swift's debug
    /// sections, and the symbols are enough.
    init(into folder: String, own: String) throws {
        guard let valgrind = ChildProcess.find("valgrind"), let strip = ChildProcess.find("objcopy") else {
            throw ToolFailure(
                description: "valgrind or objcopy is missing; on Debian: apt-get install valgrind binutils")
        }
        self.valgrind = valgrind
        self.program = "\(folder)/SluiceBench.stripped"
        _ = try ChildProcess.run(strip, ["--strip-debug", own, self.program])
    }

    /// Runs the program to its end; what was counted goes to `file`.
    func run(_ arguments: [String], file: String) throws {
        _ = try ChildProcess.run(
            self.valgrind, ["--tool=callgrind", "--callgrind-out-file=\(file)", self.program] + arguments, isQuiet: true
        )
    }

    /// All instructions of a run, of the text of callgrind's file.
    static func total(of text: String) throws -> Double {
        let line = text.split(separator: "\n").last { $0.hasPrefix("totals:") || $0.hasPrefix("summary:") }
        guard let total = line?.split(separator: " ").dropFirst().first.flatMap({ Double($0) }) else {
            throw ToolFailure(description: "callgrind's file has no total")
        }
        return total
    }
}
