import ArgumentParser
import PipelineEngine
import Worker

/// Follows a stream with the shipped pipeline and notes how long each event took.
struct LatencyChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "latency", abstract: "Follow a stream whose ids are send times in nanoseconds.")

    /// What to follow.
    @OptionGroup var followed: LatencyArguments
    @OptionGroup var file: PipelineArguments

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let (stream, recorder) = (self.followed.stream, self.followed.makeRecorder())
        var catalogue = BenchPipeline.metered(limit: stream.events)
        BenchPipeline.stamp(&catalogue, recorder)
        let pipeline = try Pipeline(
            contentsOf: self.file.pipeline, environment: [:], overrides: self.file.all(stream.overrides),
            catalogue: catalogue, services: BenchPipeline.services)
        try await pipeline.run()
        try recorder.write(to: self.followed.latency)
    }
}
