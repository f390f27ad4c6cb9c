import ArgumentParser
import Logging
import PipelineEngine

/// `sluice check`: checks a pipeline file and all external resources that it needs.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a pipeline file and the server, login, permissions and stream that it names.",
        discussion: "Changes nothing on the server. Exit status 1 if the worker would not run.")

    @Argument(help: "The pipeline file.")
    var file = "pipeline.yaml"

    @OptionGroup var pipeline: PipelineOptions

    @Option(help: "Output format: text or json.")
    var format = OutputFormat.text

    func run() async throws {
        let overrides = try self.pipeline.overrides()
        try await CommandErrors.reported {
            let silent = Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() })
            let pipeline = try Pipeline(
                contentsOf: self.file, environment: self.pipeline.environment, overrides: overrides,
                catalogue: try self.pipeline.catalogue(), services: PipelineServices(logger: silent))
            let check = try OnlineCheck(pipeline)
            let stages = pipeline.graph.stages.count
            let configuration = CheckStep(
                "configuration", .good, "\(self.file): \(pipeline.name), \(stages) stages")
            let report = CheckReport(
                file: self.file, steps: [configuration] + (await check.steps()))
            switch self.format {
            case .text: try Terminal.result(report.text)
            case .json: try Terminal.result(report.json.pretty)
            }
            if !report.isGood { throw ExitStatus.failure }
        }
    }
}
