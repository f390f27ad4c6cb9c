import Logging
public import ServiceLifecycle
public import StageKit
import Synchronization
import Tracing

/// A checked pipeline, ready to run: a service that reads its source until it is told to stop.
///
/// Making one reads and checks the whole file and opens nothing. It is run once; `reload` takes over another version of
/// the file meanwhile.
public final class Pipeline: Service, Sendable {
    /// The pipeline's name in the file.
    public let name: String
    /// The stores that the file declares, by name.
    public let stores: [String: any SnapshotStore]
    /// Where its events come from.
    public let source: any EventSource
    /// What a person may have forgotten in the file that was read first; the pipeline runs all the same.
    public let warnings: [SettingIssue]

    /// Where the stores outlive the process, nil for nowhere.
    let checkpoint: (any CheckpointKeeper)?
    private let sections: [String: SettingNode]
    private let counters: SharedCounters
    private let flight = BatchInFlight()
    /// What sends the messages of each lane but the first, so that none waits for another's.
    private let lanePublishers: [any MessagePublisher]
    private let hasGivenPublisher: Bool
    let file: String
    let environment: [String: String]
    let overrides: [Override]
    let catalogue: Catalogue
    let services: PipelineServices
    /// The version of the file that counts.
    let version: OrderedMutex<PipelineVersion>
    /// Its number, which the runner asks at each batch without taking the lock.
    let generation = Atomic<Int>(1)

    /// Reads and checks a pipeline.
    ///
    /// - Parameters:
    ///   - text: The file's bytes.
    ///   - file: The file's name, for messages.
    ///   - environment: What `${NAME}` in values stands for.
    ///   - overrides: Values given beside the file.
    ///   - catalogue: The types that the file may name.
    ///   - services: Logger, metrics, revocation handler and observer.
    /// - Throws: Everything that is wrong with the file, at once.
    public init(
        text: [UInt8], file: String, environment: [String: String] = [:], overrides: [Override] = [],
        catalogue: Catalogue, services: PipelineServices
    ) throws(ConfigurationError) {
        let tree = try ConfigurationTree(text: text, file: file, environment: environment, overrides: overrides)
        var issues = SettingIssues()
        let catalogue = catalogue.withPlugins(of: tree.root, file: file, &issues)
        let definition = PipelineDefinition(tree.root, catalogue: catalogue, &issues)
        for (name, node) in definition.sections {
            catalogue.sections.first { $0.name == name }?.check(node, &issues)
        }
        self.hasGivenPublisher = services.publisher != nil
        var services = services
        services.progress = ProgressReporter()
        var components = ComponentBuilder(definition: definition, catalogue: catalogue, services: services)
        services.revocationHandler = components.revocationHandler(&issues)
        components.services.revocationHandler = services.revocationHandler
        let lanes = definition.lanes?.settings.count ?? 1
        let publishers = (0..<lanes).map { _ in components.publisher(&issues) }
        services.publisher = publishers.first ?? nil
        let stores = components.stores(&issues)
        let digest = DefinitionDigest.ofStores(tree.root, types: catalogue.stores)
        let checkpoint = components.checkpoint(stores, definition: digest, &issues)
        var sourceWarnings: [SettingIssue] = []
        let source = components.source(stores, checkpoint, &issues, warnings: &sourceWarnings)
        let builder = GraphBuilder(definition: definition, catalogue: catalogue, stores: stores, services: services)
        let graph = builder.build(&issues)
        components.tellUnexplained(stores, source, &issues)
        let findings = catalogue.checkFile?(FileOutline(definition)) ?? FileOutline.Findings()
        issues.append(findings.issues.all)
        guard issues.all.isEmpty, let source else { throw ConfigurationError(file: file, issues: issues.all) }
        self.name = definition.name
        self.stores = stores
        self.source = source
        self.checkpoint = checkpoint
        self.sections = definition.sections
        self.file = file
        self.environment = environment
        self.overrides = overrides
        self.catalogue = catalogue
        self.services = services
        self.counters = SharedCounters(graph: graph)
        self.lanePublishers = publishers.dropFirst().compactMap(\.self)
        let describer = GraphDescriber(definition: definition, graph: graph, stores: stores, stream: source.stream)
        self.version = OrderedMutex(
            PipelineVersion(root: tree.root, definition: definition, graph: describer.describe()))
        self.warnings = (sourceWarnings + graph.warnings + findings.warnings.all).sorted { $0.mark < $1.mark }
    }

    /// The checked graph in words, as the version of the file has it that counts; callable from any thread.
    public var graph: GraphDescription { self.version.withLock(\.graph) }

    /// What the pipeline has done so far; callable from any thread, as of the last whole batch.
    public var statistics: PipelineStatistics { self.counters.statistics() }

    /// How the pipeline is doing: the source's status, and whether its batch is stalled. Callable from any thread.
    ///
    /// Readiness, lag and everything else that is shown to others come from here. `source.status` alone is as of the last
    /// whole batch, so it still says caught up while a batch waits in a stage and thousands of entries wait behind it.
    public var status: SourceStatus { self.status(at: .now) }

    /// How the pipeline is doing as of an instant, for tests that do not wait.
    package func status(at now: ContinuousClock.Instant) -> SourceStatus {
        self.flight.status(of: self.source.status, now: now)
    }

    /// How far the run has come and how long it may be silent. Callable from any thread.
    public var activity: PipelineActivity {
        let batch = self.flight.since
        let source = self.source.status
        return PipelineActivity(
            mark: PipelineActivity.Mark(
                batch: batch, pulses: self.progress.pulses, source: batch == nil ? source.pulses : nil),
            silentUntil: self.progress.silentUntil, patience: batch == nil ? source.patience : .zero)
    }

    /// Where what an embedding program gives the pipeline, such as a publisher, reports its steps while it waits.
    public var progress: ProgressReporter { self.services.progress }

    /// A top-level section of a part outside the engine, with its defaults where the file leaves it out.
    ///
    /// Throws what is wrong with it, which a section type of the catalogue has told when the pipeline was made.
    public func section<Settings: Sendable>(
        _ name: String, _ settings: SettingType<Settings>
    ) throws(ConfigurationError) -> Settings {
        var issues = SettingIssues(context: name)
        let node = self.sections[name] ?? SettingNode(.null, at: SourceMark(line: 1, column: 1))
        guard let value = settings.decode(node, &issues) else {
            throw ConfigurationError(file: self.file, issues: issues.all)
        }
        return value
    }

    /// The settings of all stages of a type, as they stand in the file, in the order of the graph; then those of the stages
    /// that its failure rules stand for.
    public func settings(ofStages type: String) -> [SettingNode] {
        self.definition.components.filter { $0.type.text == type }.map(\.settings)
    }

    /// Runs until the source ends, a graceful shutdown begins or the task is cancelled; a batch in hand is finished first.
    ///
    /// Throws what the source, a stage or an observer cannot recover from.
    public func run() async throws {
        let runner = try self.makeRunner()
        let result: Result<Void, any Error>
        do {
            try await self.withCheckpoints { try await self.withBeats { try await self.runSource(runner) } }
            result = .success(())
        } catch is RetryGivenUp {
            self.services.logger.notice("shut down while a stage was being tried again: its batch is not done")
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await runner.shutDown()
        await self.services.revocationHandler?.shutDown()
        for publisher in self.publishers { await publisher.shutDown() }
        for store in self.stores.values { await (store as? any RemoteSnapshotStore)?.shutDown() }
        try result.get()
    }

    /// Has checkpoints saved beside `body`, and one after it.
    private func withCheckpoints(_ body: () async throws -> Void) async throws {
        guard let checkpoint = self.checkpoint else { return try await body() }
        try checkpoint.claim()
        defer { checkpoint.release() }
        let source = self.source
        let tracer = InstrumentationSystem.tracer
        let result = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while (try? await Task.sleep(for: checkpoint.interval)) != nil {
                    let span = tracer.startSpan("sluice.checkpoint", context: .topLevel)
                    await checkpoint.save { source.position }
                    span.end()
                }
            }
            defer { group.cancelAll() }
            do {
                try await body()
                return Result<Void, any Error>.success(())
            } catch {
                return .failure(error)
            }
        }
        await checkpoint.save { source.position }
        try result.get()
    }

    /// Has stores elsewhere tell other programs beside `body` that they are up to date.
    private func withBeats(_ body: () async throws -> Void) async throws {
        let stores = self.stores.values.compactMap { store -> (store: any RemoteSnapshotStore, interval: Duration)? in
            guard let store = store as? any RemoteSnapshotStore, let interval = store.beatInterval else { return nil }
            return (store, interval)
        }
        if stores.isEmpty { return try await body() }
        let source = self.source
        let result = await withTaskGroup(of: Void.self) { group in
            for (store, interval) in stores {
                group.addTask {
                    while (try? await Task.sleep(for: interval)) != nil {
                        await store.beat(cursor: source.status.cursor)
                    }
                }
            }
            defer { group.cancelAll() }
            do {
                try await body()
                return Result<Void, any Error>.success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func runSource(_ runner: GraphRunner) async throws {
        let spans = BatchSpans(stream: self.source.stream)
        // A store elsewhere outlives the process with the first event, so from then on there must be a place to go on from.
        var hasPlace = !self.stores.values.contains { $0 is any RemoteSnapshotStore }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await self.source.run { batch in
                    self.flight.begin(batch.count)
                    if !hasPlace, self.source.position != nil {
                        // Without a declared bound: a disk that takes longer than the watchdog's time hangs.
                        await self.checkpoint?.save { self.source.position }
                        self.progress.pulse()
                        hasPlace = true
                    }
                    if runner.generation != self.generation.load(ordering: .acquiring) { await self.renew(runner) }
                    if let spans {
                        try await spans.around(batch) { try await runner.process(batch) }
                    } else {
                        try await runner.process(batch)
                    }
                    self.flight.end()
                }
            } onGracefulShutdown: {
                self.source.stop()
            }
        } onCancel: {
            self.source.stop()
        }
    }

    /// Stages are made anew for the run: an instance belongs to the thread that runs it.
    private func makeRunner() throws -> GraphRunner {
        let (graphs, generation) = try self.makeGraphs()
        return GraphRunner(
            graphs: graphs, plan: self.definition.lanes.map { LanePlan($0.settings) }, generation: generation,
            counters: self.counters, flight: self.flight, observer: try self.services.makeObserver?(),
            services: self.services)
    }

    /// Has the runner go on with the version of the file that counts now.
    private func renew(_ runner: GraphRunner) async {
        do {
            let (graphs, generation) = try self.makeGraphs()
            await runner.replace(graphs, generation: generation)
        } catch {
            // Stages that could be made when the file was checked cannot be made now: a stage type keeps to no contract.
            runner.generation = self.generation.load(ordering: .acquiring)
            self.refuseReload("\(error)")
            self.services.logger.withoutRateLimit.error(
                "reload failed: the previous stages stay active", metadata: ["error": "\(error)"])
        }
    }

    /// The version of the file that counts, taken apart.
    var definition: PipelineDefinition { self.version.withLock(\.definition) }

    /// What sends messages, the first lane's first; each of them once, also where the embedding program gives one for all.
    private var publishers: [any MessagePublisher] {
        let all = [self.services.publisher].compactMap(\.self) + self.lanePublishers
        return self.hasGivenPublisher ? Array(all.prefix(1)) : all
    }

    /// A graph for each lane.
    private func makeGraphs() throws(ConfigurationError) -> ([StageGraph], generation: Int) {
        let (definition, generation) = self.version.withLock { ($0.definition, $0.reloads.generation) }
        var issues = SettingIssues()
        var graphs: [StageGraph] = []
        for lane in 0..<(definition.lanes?.settings.count ?? 1) {
            var services = self.services
            if lane > 0, self.lanePublishers.count >= lane { services.publisher = self.lanePublishers[lane - 1] }
            let builder = GraphBuilder(
                definition: definition, catalogue: self.catalogue, stores: self.stores, services: services)
            graphs.append(builder.build(&issues))
        }
        guard issues.all.isEmpty else { throw ConfigurationError(file: self.file, issues: issues.all) }
        return (graphs, generation)
    }
}
