import ArgumentParser
import Logging
import PipelineEngine

/// `sluice validate`: checks pipeline files without connecting to anything.
struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Checks pipeline files offline and tells all mistakes at once.")

    @Argument(help: "The pipeline files.")
    var files: [String]

    @OptionGroup var pipeline: PipelineOptions

    func run() async throws {
        let overrides = try self.pipeline.overrides()
        var isGood = true
        for file in self.files {
            do {
                try await CommandErrors.reported {
                    let silent = Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() })
                    let pipeline = try Pipeline(
                        contentsOf: file, environment: self.pipeline.environment, overrides: overrides,
                        catalogue: SluiceCommand.catalogue, services: PipelineServices(logger: silent))
                    let stages = pipeline.statistics.stages.count
                    Terminal.result("\(file): good: \(pipeline.name), \(stages) stages")
                }
            } catch is ExitCode {
                isGood = false
            }
        }
        if !isGood { throw ExitStatus.configuration }
    }
}
