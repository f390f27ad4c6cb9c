import ArgumentParser
import CommandSupport
import ComponentKit
import Documentation
import PipelineChecks
import PipelineEngine

/// `sluice check`: checks a pipeline file and all external resources that it needs.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a pipeline file, and the server, login, permissions, stream and files that it names.",
        discussion: "Changes nothing on the server. Exit status 1 if the worker would not run.")

    @Argument(help: "The pipeline file.")
    var file = "pipeline.yaml"

    @OptionGroup var pipeline: PipelineOptions

    @Option(help: "Output format: text or json.")
    var format = OutputFormat.text

    func run() async throws {
        try await CommandErrors.reported {
            let pipeline = try self.pipeline.pipeline(self.file)
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
