import ArgumentParser
import ComponentKit
import PipelineEngine
import StageKit
import Worker

/// How a start went.
struct StartUpFigures: Codable, Equatable, Sendable {
    /// Milliseconds from the process's start until the source had caught up and the store answered.
    var readyMilliseconds: Double
    /// Milliseconds of saving the checkpoint at the end.
    var saveMilliseconds: Double
    /// Snapshots in the store then.
    var store: Int
}

/// Runs the shipped pipeline with a checkpoint until it is ready, then ends, which saves the checkpoint.
struct StartUpChild: ParsableCommand {
    /// Between two looks whether it is ready.
    private static let nap: Duration = .microseconds(200)

    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "startup", abstract: "Start with a checkpoint, and end when ready.")

    /// Where to read.
    @OptionGroup var stream: StreamArguments
    @OptionGroup var file: PipelineArguments
    /// The checkpoint.
    @Option(help: "The checkpoint's file.") var checkpoint: String
    /// When the process was started.
    @Option(help: "When the process was started, in nanoseconds of the machine's monotonic clock.") var began: UInt64

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let own = [
            "redis.address=\(self.stream.address)", "source.redis_stream.stream=\(self.stream.stream)",
            "source.redis_stream.start=resume", "source.redis_stream.bootstrap=stream",
            "source.redis_stream.read_count=4096", "checkpoint={ path: \"\(self.checkpoint)\", interval: 1h }",
        ]
        let pipeline = try Pipeline(
            contentsOf: self.file.pipeline, environment: [:], overrides: self.file.all(own),
            services: BenchPipeline.services)
        let began = self.began
        let (ready, stopped) = try await withThrowingTaskGroup(of: (UInt64, UInt64)?.self) { group in
            group.addTask {
                try await pipeline.run()
                return nil
            }
            group.addTask {
                var status = pipeline.source.status
                while !status.isCaughtUp || status.isFilling {
                    try await Task.sleep(for: Self.nap)
                    status = pipeline.source.status
                }
                let ready = Clocks.monotonic
                pipeline.source.stop()
                return (ready, Clocks.monotonic)
            }
            return try await group.reduce(into: (0, 0)) { $0 = $1 ?? $0 }
        }
        let ended = Clocks.monotonic
        try ChildOutput.write(
            StartUpFigures(
                readyMilliseconds: Double(ready - began) / 1e6, saveMilliseconds: Double(ended - stopped) / 1e6,
                store: pipeline.stores["sessions"]?.count ?? 0))
    }
}
