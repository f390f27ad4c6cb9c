import ArgumentParser
import PipelineEngine
import StageKit
import Worker

/// The cost of one kind of condition.
struct ExpressionFigures: Codable, Equatable, Sendable {
    /// The name of the condition in the report.
    var subject: String
    /// Nanoseconds of CPU to evaluate the condition for an event that does not meet it.
    var nanoseconds: Double
}

/// Evaluates conditions in a graph.
struct ExpressionChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "expressions", abstract: "The cost of conditions: graphs of stages whose condition is not met.")

    /// The conditions by their names in the report.
    static let conditions = [
        (Names.mapForm, "{ status: revoked }"), (Names.expression, #""status == 'revoked'""#),
        (Names.integerArithmetic, #""price * quantity > 1000""#),
        (Names.doubleArithmetic, #""celsius * factor > 1000.0""#),
    ]

    private static let batchSize = 128
    /// The number of stages with a condition: enough that decoding and the batch do not matter.
    private static let stages = 32
    private static let fields: KeyValuePairs<String, String> = [
        "device_session_id": "0123456789abcdef", "status": "active", "price": "7", "quantity": "12",
        "celsius": "31.5", "factor": "2.25",
    ]

    /// Events of each graph.
    @Option(help: "Events of each graph.") var events = 1_000_000

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let base = try await self.measure(nil)
        var found: [ExpressionFigures] = []
        for (subject, condition) in Self.conditions {
            let nanoseconds = (try await self.measure(condition) - base) / Double(Self.stages)
            found.append(ExpressionFigures(subject: subject, nanoseconds: nanoseconds))
        }
        try ChildOutput.write(found)
    }

    /// Nanoseconds for each event of a graph that decodes it and evaluates a condition for each of its stages.
    private func measure(_ condition: String?) async throws -> Double {
        let source = RepeatingSource(
            batches: max(100, self.events / Self.batchSize), size: Self.batchSize,
            fields: Self.fields.map { (Array($0.key.utf8), Array($0.value.utf8)) })
        var catalogue = Catalogue.standard
        catalogue.add(IdleStage.self)
        BenchPipeline.add(source, named: "repeating", to: &catalogue)
        let stage = condition.map { "  - idle: {}\n    when: \($0)\n" } ?? ""
        let text = """
            pipeline: conditions
            source: { repeating: here }
            stages:
              - decode:
                  fields:
                    device_session_id: {}
                    status:   {}
                    price:    { type: int64 }
                    quantity: { type: int64 }
                    celsius:  { type: double }
                    factor:   { type: double }
            \(String(repeating: stage, count: Self.stages))
            """
        let pipeline = try Pipeline(
            text: Array(text.utf8), file: "conditions.yaml", catalogue: catalogue, services: BenchPipeline.services)
        try await pipeline.run()
        return source.nanosecondsPerEvent
    }
}
