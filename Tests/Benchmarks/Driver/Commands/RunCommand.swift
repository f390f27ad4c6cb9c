import ArgumentParser
import ComponentKit
import Foundation
import StageKit

/// What can be measured.
enum Experiment: String, CaseIterable, ExpressibleByArgument {
    /// Drain at several read counts.
    case drain
    /// Drain of several lengths.
    case sizes
    /// Drain with malformed events.
    case malformed
    /// Drain of several streams side by side.
    case partitions
    /// From XADD to applied.
    case latency
    /// Look-ups.
    case lookups
    /// All doors of the gateway: `httpDoor`, `redisDoor` and `shared`.
    case gateway
    /// The gateway's HTTP door.
    case httpDoor = "http-door"
    /// The gateway's Redis door.
    case redisDoor = "redis-door"
    /// Lookups of another process in shared memory.
    case shared
    /// Look-ups over HTTP.
    case web
    /// Memory of sessions.
    case memory
    /// Idle stages.
    case overhead
    /// Conditions on events.
    case expressions
    /// Workers of a group.
    case groups
    /// From the process's start to ready, with a checkpoint.
    case startup

    /// The experiments that it consists of.
    var parts: [Experiment] { self == .gateway ? [.httpDoor, .redisDoor, .shared] : [self] }
}

/// Measures and reports.
struct RunCommand: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Measure everything, or what is named.",
        discussion: "Run it in the package's folder, on a machine that has nothing else to do.")

    /// What to measure; everything where nothing is named.
    @Argument(help: "\(Experiment.allCases.map(\.rawValue).joined(separator: ", ")); all where none is named.")
    var experiments: [Experiment] = []
    /// About two minutes in place of ten.
    @Flag(help: "About two minutes in place of ten.") var quick = false
    /// A loopback port in place of a Unix socket.
    @Flag(help: "A loopback port in place of a Unix socket.") var tcp = false
    /// Look-ups and memory with 10M sessions, too.
    @Flag(help: "Look-ups and memory with 10M sessions, too.") var large = false
    /// Rounds of each comparison.
    @Option(help: "Rounds of each comparison.") var rounds: Int?
    /// Events of the drain.
    @Option(help: "Events of the drain.") var events: Int?
    /// Where report.json and the charts go.
    @Option(help: "Where report.json and the charts go.") var output = ".build/bench"

    /// Measures and writes.
    func run() throws {
        var plan = self.quick ? BenchPlan.quick : BenchPlan()
        plan.overTCP = self.tcp
        plan.rounds = max(1, self.rounds ?? plan.rounds)
        plan.events = max(1, self.events ?? plan.events)
        if self.large { plan.lookupSessions.append(10_000_000) }
        var chosen: [Experiment] = []
        for part in (self.experiments.isEmpty ? Experiment.allCases : self.experiments).flatMap(\.parts)
        where !chosen.contains(part) { chosen.append(part) }
        try FileManager.default.createDirectory(atPath: self.output, withIntermediateDirectories: true)
        let yardsticks = try Yardsticks(into: self.output, withPython: chosen.contains(.drain))
        let bench = Bench(
            plan: plan, yardsticks: yardsticks, folder: self.output,
            own: try FileManager.default
                .destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        var report = BenchReport(machine: MachineFacts.now())
        var failed = false
        var progress = WorkProgress(.log, total: chosen.count, at: .now)
        for (index, experiment) in chosen.enumerated() {
            do {
                try Self.run(experiment, bench, &report)
            } catch {
                failed = true
                report.notes.append("\(experiment.rawValue) failed: \(error)")
            }
            // After each one, so that a run that is broken off has not been for nothing.
            report.verdicts = Budgets.verdicts(report)
            report.machine.loadAfter = MachineFacts.load
            try self.write(report)
            if let report = progress.update(index + 1, at: .now) { bench.say(report.text("experiments")) }
        }
        FileHandle.standardOutput.write(Data("\n\(ReportText(report: report).text)\n".utf8))
        bench.say("\nreport.json, report.txt and the charts are in \(self.output)")
        if failed { throw ExitCode.failure }
    }

    private static func run(_ experiment: Experiment, _ bench: Bench, _ report: inout BenchReport) throws {
        switch experiment {
        case .drain: try bench.drain(into: &report)
        case .sizes: try bench.sizes(into: &report)
        case .malformed: try bench.malformed(into: &report)
        case .partitions: try bench.partitions(into: &report)
        case .latency: try bench.latency(into: &report)
        case .lookups: try bench.lookups(into: &report)
        case .gateway: break  // Stands for its parts.
        case .httpDoor: try bench.httpDoor(into: &report)
        case .redisDoor: try bench.redisDoor(into: &report)
        case .shared: try bench.shared(into: &report)
        case .web: try bench.web(into: &report)
        case .memory: try bench.memory(into: &report)
        case .overhead: try bench.overhead(into: &report)
        case .expressions: try bench.expressions(into: &report)
        case .groups: try bench.groups(into: &report)
        case .startup: try bench.startUp(into: &report)
        }
    }

    private func write(_ report: BenchReport) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let folder = URL(fileURLWithPath: self.output)
        try encoder.encode(report).write(to: folder.appendingPathComponent("report.json"))
        let charts = [
            Chart(
                report: report, experiment: Names.drain, metric: Names.rate,
                title: "Drain of session events, whole shipped pipeline"),
            Chart(report: report, experiment: Names.drain, metric: Names.cpu, title: "CPU of the reader"),
            Chart(report: report, experiment: Names.latency, metric: Names.p50, title: "From XADD to applied, median"),
        ]
        for (chart, name) in zip(charts, ["drain.svg", "cpu.svg", "latency.svg"]) {
            if let svg = chart.svg { try Data(svg.utf8).write(to: folder.appendingPathComponent(name)) }
        }
        let text = ReportText(report: report).text + "\n"
        try Data(text.utf8).write(to: folder.appendingPathComponent("report.txt"))
    }
}
