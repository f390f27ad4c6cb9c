import Admin
import ArgumentParser
import Foundation
import Logging
import PipelineEngine
import Tracing

/// `sluice run`: runs a pipeline until a signal.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a pipeline until SIGTERM or SIGINT; reload its file on SIGHUP.")

    @Argument(help: "The pipeline file.")
    var file = "pipeline.yaml"

    @OptionGroup var pipeline: PipelineOptions

    @Option(help: ArgumentHelp("Journal file with one JSON line per event; - for standard output.", valueName: "file"))
    var journal: String?

    @Option(
        help: ArgumentHelp(
            "File for spans of reads, batches, checkpoints and reconnects in OpenTelemetry's JSON.", valueName: "file"
        ))
    var trace: String?

    @OptionGroup var logging: LogOptions

    func run() async throws {
        let (logger, gate) = self.logging.logger(label: "sluice")
        defer { gate.close() }
        let manager = ServiceManager(environment: self.pipeline.environment, logger: logger)
        let options = AssembledWorker.Options(
            path: self.file, environment: self.pipeline.environment, overrides: try self.pipeline.overrides(),
            journal: self.journal, catalogue: try self.pipeline.catalogue(), onListening: { _ in manager?.isServing() })
        try await CommandErrors.reported(logger: logger) {
            let worker = try AssembledWorker(options, logger: logger)
            worker.registry.registerCollector(gate.samples)
            guard let path = self.trace else { return try await self.run(worker, manager, logger, gate) }
            let file = try TraceFile(path: path, rotation: worker.rotation, logger: logger)
            worker.registry.registerCollector(file.samples)
            try await withTracer(FileTracer(file: file)) { try await self.run(worker, manager, logger, gate) }
        }
    }

    private func run(
        _ worker: AssembledWorker, _ manager: ServiceManager?, _ logger: Logger, _ gate: LogGate
    ) async throws {
        try await worker.run(
            beside: [
                ReloadService(
                    pipeline: worker.pipeline, path: self.file, logger: logger, rotation: worker.rotation,
                    around: { reload in if let manager { manager.reloading(reload) } else { reload() } }),
                HeldBackReports(gate: gate),
            ],
            watchedBy: manager.map { ServiceManagerWatch(manager: $0, pipeline: worker.pipeline) })
    }
}

/// Turns the errors of commands into a message and an exit status.
enum CommandErrors {
    /// Runs `body`. A configuration error is printed line by line and ends with status 78, any other error with status
    /// 1.
    static func reported(logger: Logger? = nil, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as ConfigurationError {
            for line in error.lines { Terminal.report(line) }
            throw ExitStatus.configuration
        } catch let error as PipelineFile.Unreadable {
            Terminal.report(error.description)
            throw ExitStatus.configuration
        } catch let error as ExitCode {
            throw error
        } catch let error as ValidationError {
            throw error
        } catch let error as CocoaError where logger == nil {
            let path = error.filePath
            Terminal.report("sluice: \(path.map { "\($0): " } ?? "")\(error.localizedDescription)")
            throw ExitStatus.failure
        } catch {
            if let logger {
                logger.critical("stopped by an error", metadata: ["error": "\(error)"])
            } else {
                Terminal.report("sluice: \(error)")
            }
            throw ExitStatus.failure
        }
    }
}
