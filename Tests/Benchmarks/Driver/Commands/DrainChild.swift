import ArgumentParser
import ComponentKit
import PipelineEngine
import StageKit
import Worker

/// Drains a stream with the shipped pipeline.
struct DrainChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(commandName: "drain", abstract: "Drain a stream once.")

    /// Where to read.
    @OptionGroup var stream: StreamArguments
    @OptionGroup var file: PipelineArguments

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let pipeline = try Pipeline(
            contentsOf: self.file.pipeline, environment: [:], overrides: self.file.all(self.stream.overrides),
            catalogue: BenchPipeline.metered(limit: self.stream.events), services: BenchPipeline.services)
        try await pipeline.run()
        guard let reading = (pipeline.source as? MeteredSource)?.reading else {
            throw ToolFailure(description: "the source ended before \(self.stream.events) events")
        }
        let statistics = pipeline.statistics
        try ChildOutput.write(
            DrainFigures(
                entries: reading.events, batches: reading.batches, wallSeconds: reading.wall,
                userSeconds: reading.after.user - reading.before.user,
                systemSeconds: reading.after.system - reading.before.system, peakKiB: MemoryUse.peakKiB,
                store: pipeline.stores["sessions"]?.count,
                outcomes: Dictionary(
                    statistics.outcomes.map { ("\($0.outcome.name) \($0.reason)", Int($0.count)) },
                    uniquingKeysWith: +)))
    }
}
