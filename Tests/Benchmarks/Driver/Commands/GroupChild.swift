import ArgumentParser
import ComponentKit
import Foundation
import PipelineEngine
import StageKit
import Worker

/// One worker of a group, with the shipped pipeline's stages.
struct GroupChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "group", abstract: "Work off a stream with others; ends when there is nothing left.")

    /// Between two looks at how far it is.
    private static let nap = Duration.milliseconds(5)
    /// So many looks without a new entry in a row mean that there is none: ten times as long as a read waits.
    private static let looks = 40

    @OptionGroup var file: PipelineArguments
    /// The server.
    @Option(help: "unix:/path or host:port.") var address: String
    /// The stream's key.
    @Option(help: "The stream.") var stream = "sluice:bench"
    /// The group.
    @Option(help: "The group, which is there.") var group = "bench"
    /// What the worker is called in it.
    @Option(help: "What the worker is called.") var consumer: String
    /// Entries in a reply.
    @Option(help: "XREADGROUP's COUNT.") var count = 128

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let source =
            "source.redis_stream={ stream: \(self.stream), read_count: \(self.count), read_block: 20ms, "
            + "group: { name: \(self.group), consumer: \(self.consumer) } }"
        let pipeline = try Pipeline(
            contentsOf: self.file.pipeline, environment: [:],
            overrides: self.file.all(["redis.address=\(self.address)", "redis.timeout=5s", source]),
            catalogue: .standard, services: BenchPipeline.services)
        try await BenchPipeline.run(pipeline) {
            FileHandle.standardOutput.write(Data("ready\n".utf8))
            let (start, before) = (Clocks.monotonic, ResourceUsage.now)
            var (read, same, after) = (UInt64(0), 0, before)
            while read == 0 || same < Self.looks {
                try await Task.sleep(for: Self.nap)
                let now = pipeline.statistics.read
                if now != read { after = ResourceUsage.now }
                (read, same) = (now, now == read ? same + 1 : 0)
            }
            let statistics = pipeline.statistics
            try ChildOutput.write(
                DrainFigures(
                    entries: Int(statistics.read), batches: Int(statistics.batches),
                    wallSeconds: Double(Clocks.monotonic - start) / 1e9, userSeconds: after.user - before.user,
                    systemSeconds: after.system - before.system, peakKiB: MemoryUse.peakKiB, store: nil, outcomes: nil))
        }
    }
}
