import ArgumentParser
import PipelineEngine
import StageKit

/// What one graph of idle stages costs.
struct OverheadFigures: Codable, Equatable, Sendable {
    /// Whether the stages say that they are pure.
    var isPure: Bool
    /// Stages in the graph.
    var stages: Int
    /// Nanoseconds an event.
    var nanoseconds: Double
}

/// Runs graphs of stages that do nothing.
struct OverheadChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "overhead", abstract: "The engine's own cost: graphs of stages that do nothing.")

    /// Sizes of graphs.
    static let sizes = [1, 4, 16, 64]
    private static let batchSize = 128

    /// Events, divided by the number of stages.
    @Option(help: "Events, divided by the number of stages.") var events = 5_000_000

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        var found: [OverheadFigures] = []
        for isPure in [false, true] {
            for stages in Self.sizes {
                let nanoseconds = try await self.measure(isPure ? "idle_pure" : "idle", stages)
                found.append(OverheadFigures(isPure: isPure, stages: stages, nanoseconds: nanoseconds))
            }
        }
        try ChildOutput.write(found)
    }

    private func measure(_ type: String, _ stages: Int) async throws -> Double {
        let source = RepeatingSource(
            batches: max(100, self.events / stages / Self.batchSize), size: Self.batchSize)
        var catalogue = Catalogue()
        catalogue.add(IdleStage.self)
        catalogue.add(IdlePureStage.self)
        BenchPipeline.add(source, named: "repeating", to: &catalogue)
        let text =
            "pipeline: idle\nsource: { repeating: here }\nstages:\n"
            + String(repeating: "  - \(type): {}\n", count: stages)
        let pipeline = try Pipeline(
            text: Array(text.utf8), file: "idle.yaml", catalogue: catalogue, services: BenchPipeline.services)
        try await pipeline.run()
        return source.nanosecondsPerEvent
    }
}
