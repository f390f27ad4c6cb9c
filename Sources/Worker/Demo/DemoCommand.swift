import ArgumentParser
import CommandSupport
import ComponentKit
import Foundation
import Logging
import PipelineEngine
import ServiceLifecycle
import StageKit

/// `sluice demo`: a private redis-server, the unchanged pipeline, realistic events and a live view.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract:
            "Run a demo: start a private redis-server, publish session events, show the worker.",
        discussion: "Stop with Ctrl-C; nothing is left behind. Needs redis-server in PATH.")

    /// The allowed rates: a terminal shows no difference beyond, and one publisher cannot send more.
    static let rates = 1...50_000

    @Argument(help: "The pipeline file.")
    var file = "pipeline.yaml"

    @Option(help: "Duration, such as 10s; default: until Ctrl-C.", transform: Self.duration)
    var duration: Duration?

    @Option(help: "Events per second.")
    var rate = 2000

    func validate() throws {
        guard Self.rates.contains(self.rate) else {
            throw ValidationError("--rate: \(self.rate) is out of range: it must be from 1 to \(Self.rates.upperBound)")
        }
    }

    func run() async throws {
        let errors = DemoLog()
        let logger = Logger(label: "sluice") { _ in DemoLogHandler(log: errors) }
        try await CommandErrors.reported {
            Terminal.report("Starting a private redis-server ...")
            try await PrivateRedis.withServer { redis in
                var environment = ProcessInfo.processInfo.environment
                for name in environment.keys where name.hasPrefix("REDIS_") { environment[name] = nil }
                environment["REDIS_ADDRESS"] = "unix:\(redis.socketPath)"
                environment["SLUICE_LISTEN"] = "127.0.0.1:0"
                let meter = DemoMeter()
                let worker = try AssembledWorker(
                    AssembledWorker.Options(
                        path: self.file, environment: environment, catalogue: AvailableTypes.catalogue,
                        makeObserver: { DemoObserver(meter: meter) },
                        onListening: { meter.setAddress($0) }),
                    logger: logger)
                let publisher = DemoPublisher(
                    redis: redis, stream: worker.pipeline.source.stream, rate: self.rate, meter: meter,
                    source: worker.pipeline.source, logger: logger)
                let screen = DemoScreen(worker: worker, meter: meter, log: errors, duration: self.duration)
                try await worker.run(beside: [publisher, screen])
                try screen.printSummary()
            }
            try Terminal.result("Stopped; the private redis-server and its directory are removed.")
        }
    }

    private static func duration(_ text: String) throws -> Duration {
        guard let duration = SettingUnits.duration(text), duration > .zero else {
            throw ValidationError("\(text): expected a duration such as 10s or 2m")
        }
        return duration
    }
}
