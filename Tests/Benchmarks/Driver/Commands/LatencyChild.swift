import ArgumentParser
import Foundation
import PipelineEngine
import Worker

/// Follows a stream with the shipped pipeline and notes how long each event took.
struct LatencyChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "latency", abstract: "Follow a stream whose ids are send times in nanoseconds.")

    /// Where to read.
    @OptionGroup var stream: StreamArguments
    @OptionGroup var file: PipelineArguments
    /// Where latencies go: 64-bit nanoseconds in the machine's order.
    @Option(help: "Where latencies go: 64-bit nanoseconds in the machine's order.")
    var latency: String

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let recorder = LatencyRecorder(capacity: self.stream.events + 65_536)
        var catalogue = BenchPipeline.metered(limit: self.stream.events)
        BenchPipeline.stamp(&catalogue, recorder)
        let pipeline = try Pipeline(
            contentsOf: self.file.pipeline, environment: [:], overrides: self.file.all(self.stream.overrides),
            catalogue: catalogue, services: BenchPipeline.services)
        try await pipeline.run()
        try recorder.write(to: self.latency)
    }
}
