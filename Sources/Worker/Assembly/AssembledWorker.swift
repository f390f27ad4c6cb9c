import Admin
import ArgumentParser
import ComponentKit
import CoreMetrics
import HTTPBase
import Logging
import Operations
import PipelineEngine
import ServiceLifecycle
import StageKit
import UnixSignals

/// A pipeline with its services: metrics, journal, revocation publisher and the HTTP interface.
struct AssembledWorker {
    /// The maximum time for a shutdown before whatever still runs is cancelled. A batch in flight takes milliseconds,
    /// so anything that takes this long is stuck.
    static let shutdownLimit: Duration = .seconds(20)

    /// The pipeline.
    let pipeline: Pipeline
    /// The metrics registry.
    let registry: MetricsRegistry
    /// The requests to reopen the journal and the trace file.
    let rotation = FileRotation()
    /// Sends traces and metrics to a collector, or `nil` if the file names none.
    let exporter: OTLPExporter?
    private let admin: AdminServer
    /// The gateway's doors.
    let gateway: GatewayDoors
    private let logger: Logger

    /// The parameters of a worker.
    struct Options {
        /// The pipeline file's path.
        var path: String
        /// The environment.
        var environment: [String: String]
        /// Overrides of values in the file.
        var overrides: [Override] = []
        /// The journal's destination: a path, `-` for standard output, or `nil` for none.
        var journal: String?
        /// The types that the file may name.
        var catalogue: Catalogue
        /// Creates an additional observer of outcomes, for programs that monitor the worker.
        var makeObserver: (@Sendable () throws -> any OutcomeObserver)?
        /// Called with the address of the HTTP interface once it listens.
        var onListening: @Sendable (ListenAddress) -> Void = { _ in }
    }

    /// Reads and checks the file and assembles the parts; opens nothing.
    init(_ options: Options, logger: Logger) throws {
        let registry = MetricsRegistry()
        var services = PipelineServices(logger: logger, metrics: registry)
        let watch = Watch()
        services.revocationHandler = RevocationFeed(watch.revocations)
        services.makeObserver = Self.observer(options, watch, self.rotation, logger)
        let pipeline = try Pipeline(
            contentsOf: options.path, environment: options.environment, overrides: options.overrides,
            catalogue: options.catalogue, services: services)
        registry.describe(
            "sluice_stage_seconds",
            help: "Time of a stage per event (one in 1024 is timed), or for all waiting events together.")
        registry.registerCollector(PipelineCollector(pipeline: pipeline).samples)
        registry.registerCollector(ProcessCollector().samples)
        self.pipeline = pipeline
        self.registry = registry
        self.logger = logger
        let telemetry = try pipeline.section("telemetry", TelemetrySettings.type)
        self.exporter = try telemetry.otlp.map { otlp in
            OTLPExporter(
                otlp, trusting: try Self.reading(options.path, otlp.readAuthorities), registry: registry,
                pipeline: pipeline.name, version: SluiceCommand.configuration.version, logger: logger)
        }
        if let exporter = self.exporter { registry.registerCollector(exporter.samples) }
        let settings = try pipeline.section("admin", AdminSettings.type)
        self.admin = AdminServer(
            settings: settings, access: try Self.reading(options.path, settings.readAccess),
            context: watch.context(of: pipeline, registry), logger: logger, onListening: options.onListening)
        self.gateway = try GatewayDoors(pipeline, registry, file: options.path, logger: logger)
        self.gateway.follow(watch.revocations)
    }

    /// Reads a file that the settings in `file` name.
    private static func reading<Content>(
        _ file: String, _ read: () throws(SettingIssue) -> Content
    ) throws(ConfigurationError) -> Content {
        do throws(SettingIssue) {
            return try read()
        } catch {
            throw ConfigurationError(file: file, issues: [error])
        }
    }

    /// Runs until a signal or the end of the source.
    ///
    /// - Parameters:
    ///   - signals: Whether SIGTERM and SIGINT begin a graceful shutdown.
    ///   - others: Services that run with the worker and stop after the pipeline.
    ///   - watch: A service that monitors the worker, and is the first to be notified of a shutdown.
    func run(signals: Bool = true, beside others: [any Service] = [], watchedBy watch: (any Service)? = nil)
        async throws
    {
        // A failed service shuts the others down like a signal, so that requests in flight are answered; a cancellation
        // would drop them.
        typealias Part = ServiceGroupConfiguration.ServiceConfiguration
        let ending = Part.TerminationBehavior.gracefullyShutdownGroup
        var services = [Part(service: self.admin, failureTerminationBehavior: ending)]
        // Stops after the pipeline, so that the last export contains its last events.
        if let exporter = self.exporter {
            services.append(Part(service: exporter, failureTerminationBehavior: .ignore))
        }
        services += (others + [self.pipeline]).map { service in
            Part(service: service, successTerminationBehavior: ending, failureTerminationBehavior: ending)
        }
        // Services end in the opposite order: no gateway gets an answer once the stream is no longer read.
        services += self.gateway.services.map { Part(service: $0, failureTerminationBehavior: ending) }
        if let watch {
            services.append(
                Part(service: watch, successTerminationBehavior: .ignore, failureTerminationBehavior: ending))
        }
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: signals ? [.sigterm, .sigint] : [],
            logger: self.logger)
        configuration.maximumGracefulShutdownDuration = Self.shutdownLimit
        try await ServiceGroup(configuration: configuration).run()
    }

    private static func observer(
        _ options: Options, _ watch: Watch, _ rotation: FileRotation, _ logger: Logger
    ) -> @Sendable () throws -> any OutcomeObserver {
        let journal = options.journal
        let other = options.makeObserver
        return {
            let watching = WatchObserver(recent: watch.recent, taps: watch.taps)
            guard journal != nil || other != nil else { return watching }
            var observers: [any OutcomeObserver] = []
            if let journal {
                observers.append(try Journal(path: journal, rotation: rotation, logger: logger))
            }
            if let other { observers.append(try other()) }
            return ObserverList(observers + [watching])
        }
    }
}
