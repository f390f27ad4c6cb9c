import ArgumentParser
import Foundation

/// Counts the instructions of a drain by callgrind: the same from run to run, whatever else the machine does.
struct ProfileCommand: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "profile", abstract: "Where the instructions of a drain go (valgrind's callgrind).")

    /// Events.
    @Option(help: "Events.") var events = 100_000
    /// XREAD's COUNT.
    @Option(help: "XREAD's COUNT.") var count = 1024
    /// Malformed events in 1000.
    @Option(help: "Malformed events in 1000.") var malformed = 0
    /// Where files go.
    @Option(help: "Where files go.") var output = ".build/bench"

    /// Measures and writes.
    func run() throws {
        guard let annotate = ChildProcess.find("callgrind_annotate") else {
            throw ToolFailure(description: "callgrind_annotate is missing; on Debian: apt-get install valgrind")
        }
        try FileManager.default.createDirectory(atPath: self.output, withIntermediateDirectories: true)
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let plan = BenchPlan(sessions: max(1, self.events / 5))
        let bench = Bench(
            plan: plan, yardsticks: try Yardsticks(into: self.output, withPython: false), folder: self.output, own: own)
        try BenchServer.withServer(overTCP: false) { server in
            let stream = "sluice:profile"
            try bench.load(server, stream: stream, events: self.events, malformed: self.malformed)
            let file = "\(self.output)/callgrind.out"
            try Callgrind(into: self.output, own: own).run(
                [
                    "child", "drain", "--address", server.address, "--stream", stream, "--count", "\(self.count)",
                    "--events", "\(self.events)",
                ], file: file)
            FileHandle.standardOutput.write(try ChildProcess.run(annotate, ["--auto=no", file], isQuiet: true))
        }
    }
}
