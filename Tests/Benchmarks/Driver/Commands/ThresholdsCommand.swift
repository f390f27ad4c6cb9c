import ArgumentParser
import Foundation

/// A bound on what one event may take.
struct Threshold: Codable, Equatable, Sendable {
    /// What is counted.
    var countable: String
    /// XREAD's COUNT.
    var readCount: Int
    /// The most that one event may take.
    var limit: Double

    /// Below this share of the limit the bound has become too wide to notice anything.
    static let slack = 0.8

    /// What is to be said of a count; nil where it is well within the bound.
    func complaint(_ measured: Double) -> String? {
        let what = "\(self.countable) an event at COUNT \(self.readCount)"
        if measured > self.limit {
            return "\(what): \(Figures.text(measured)), more than the bound of \(Figures.text(self.limit))"
        }
        return nil
    }
}

/// Counts instructions and allocations of an event and holds them against bounds.
struct ThresholdsCommand: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "thresholds",
        abstract: "Hold the instructions and allocations of an event against bounds; counts, not times.")

    /// The bounds.
    @Option(help: "The file of bounds.") var file = "Tests/Benchmarks/thresholds.json"
    /// Where files go.
    @Option(help: "Where files go.") var output = ".build/bench"

    /// Counts and compares; fails where a bound is broken.
    func run() throws {
        let thresholds = try JSONDecoder().decode(
            [Threshold].self, from: Data(contentsOf: URL(fileURLWithPath: self.file)))
        try FileManager.default.createDirectory(atPath: self.output, withIntermediateDirectories: true)
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let bench = Bench(
            plan: BenchPlan(sessions: Bench.countedSessions),
            yardsticks: try Yardsticks(into: self.output, withPython: false), folder: self.output, own: own)
        var table = TextTable(header: ["an event takes", "COUNT", "counted", "bound", ""], leading: 1)
        var complaints: [String] = []
        try BenchServer.withServer(overTCP: false) { server in
            try bench.loadCounted(server, for: Countable.allCases)
            for threshold in thresholds {
                guard let countable = Countable(rawValue: threshold.countable) else {
                    throw ToolFailure(description: "\(self.file): nothing is known of \"\(threshold.countable)\"")
                }
                bench.say("\(threshold.countable) at COUNT \(threshold.readCount)")
                let measured = try bench.count(
                    countable, server, readCount: threshold.readCount, limit: threshold.limit)
                let complaint = threshold.complaint(measured)
                complaints += [complaint].compactMap(\.self)
                let isWide = measured < threshold.limit * Threshold.slack
                table.add([
                    threshold.countable, "\(threshold.readCount)", Figures.text(measured),
                    "<= " + Figures.text(threshold.limit),
                    complaint != nil ? "BROKEN" : isWide ? "kept, by so much that the bound can be lowered" : "kept",
                ])
            }
        }
        FileHandle.standardOutput.write(Data("\(table.text)\n".utf8))
        for complaint in complaints { bench.say(complaint) }
        if !complaints.isEmpty { throw ExitCode.failure }
    }
}
