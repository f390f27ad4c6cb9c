import Admin
import ArgumentParser
import CommandSupport
import Foundation
import Logging
import Operations
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
            var sinks: [any SpanSink] = []
            if let path = self.trace {
                let file = try TraceFile(path: path, rotation: worker.rotation, logger: logger)
                worker.registry.registerCollector(file.samples)
                sinks.append(file)
            }
            if let sink = worker.exporter?.sink { sinks.append(sink) }
            guard !sinks.isEmpty else { return try await self.run(worker, manager, logger, gate) }
            let tracer = SpanTracer(sink: sinks.count == 1 ? sinks[0] : SpanSinks(sinks))
            try await withTracer(tracer) { try await self.run(worker, manager, logger, gate) }
        }
    }

    private func run(
        _ worker: AssembledWorker, _ manager: ServiceManager?, _ logger: Logger, _ gate: LogGate
    ) async throws {
        try await worker.run(
            beside: [
                ReloadService(
                    pipeline: worker.pipeline, path: self.file, logger: logger, rotation: worker.rotation,
                    onSignal: { worker.gateway.reload() },
                    around: { reload in if let manager { manager.reloading(reload) } else { reload() } }),
                HeldBackReports(gate: gate),
                CatchUpReports(pipeline: worker.pipeline, logger: logger),
            ],
            watchedBy: manager.map { ServiceManagerWatch(manager: $0, pipeline: worker.pipeline) })
    }
}
