public import ComponentKit
import Logging
public import ServiceLifecycle
public import StageKit
import Synchronization
import Tracing

/// A checked pipeline, ready to run: a service that reads its source until it is stopped.
///
/// Creating one reads and checks the whole file and opens nothing. It can be run once; `reload` applies another version
/// of the file meanwhile.
public final class Pipeline: Service, Sendable {
    /// The pipeline's name in the file.
    public let name: String
    /// The stores that the file declares, by name.
    public let stores: [String: any SnapshotStore]
    /// The source of its events.
    public let source: any EventSource
    /// Possible oversights in the file that was read first; the pipeline runs nevertheless.
    public let warnings: [SettingIssue]

    /// Whether a stage of the file that was read first adds events of its own, so that there may be more outcomes than
    /// entries.
    package let addsEvents: Bool

    /// The checkpoint of the stores, or `nil` if they are not saved.
    let checkpoint: (any CheckpointKeeper)?
    private let sections: [String: SettingNode]
    let counters: SharedCounters
    let flight = BatchInFlight()
    /// The publishers of each lane but the first, separate so that no lane waits for another.
    let lanePublishers: [any MessagePublisher]
    let hasGivenPublisher: Bool
    let file: String
    let environment: [String: String]
    let overrides: [Override]
    let catalogue: Catalogue
    let services: PipelineServices
    /// The version of the file in use.
    let version: OrderedMutex<PipelineVersion>
    /// The number of that version, which the runner reads at each batch without a lock.
    let generation = Atomic<Int>(1)

    /// Reads and checks a pipeline.
    ///
    /// - Parameters:
    ///   - text: The file's bytes.
    ///   - file: The file's name, for messages.
    ///   - environment: The variables for `${NAME}` in values.
    ///   - overrides: Values that replace those of the file.
    ///   - catalogue: The types that the file may name.
    ///   - services: Logger, metrics, revocation handler and observer.
    /// - Throws: All errors in the file.
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
        services.connections = ConnectionHistory()
        var components = ComponentBuilder(definition: definition, catalogue: catalogue, services: services)
        services.revocationHandler = components.revocationHandler(&issues)
        components.services.revocationHandler = services.revocationHandler
        let lanes = definition.lanes?.settings.count ?? 1
        let publishers = (0..<lanes).map { _ in components.publisher(&issues) }
        services.publisher = publishers.first ?? nil
        services.hashReader = components.hashReader(&issues)
        let stores = components.stores(&issues)
        let builder = GraphBuilder(definition: definition, catalogue: catalogue, stores: stores, services: services)
        let graph = builder.build(&issues)
        // With errors, the graph may lack stages, and the pipeline does not run.
        let digest = issues.all.isEmpty ? DefinitionDigest.ofStores(tree.root, graph, types: catalogue.stores) : ""
        let previous = DefinitionDigest.previous(tree.root, types: catalogue.stores)
        let checkpoint = components.checkpoint(stores, definition: digest, previous: previous, &issues)
        var otherWarnings: [SettingIssue] = []
        let source = components.source(stores, checkpoint, &issues, warnings: &otherWarnings)
        components.tellUnexplained(stores, source, &issues)
        if issues.all.isEmpty, let source {
            StateChecks(graph: graph, source: source, hasCheckpoint: checkpoint != nil).check(
                &issues, warnings: &otherWarnings)
        }
        let findings =
            catalogue.checkFile?(
                FileOutline(definition, catalogue: catalogue, source: source, fieldTypes: graph.fieldTypes),
                issues.all.isEmpty ? stores : [:])
            ?? FileOutline.Findings()
        issues.append(findings.issues.all)
        guard issues.all.isEmpty, let source else { throw ConfigurationError(file: file, issues: issues.all) }
        self.name = definition.name
        self.stores = stores
        self.source = source
        self.checkpoint = checkpoint
        self.addsEvents = graph.addsEvents
        if graph.followsTime { source.deliverTimes() }
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
        self.warnings = (otherWarnings + graph.warnings + findings.warnings.all).sorted { $0.position < $1.position }
    }

    /// The description of the checked graph in the version of the file in use; callable from any thread.
    public var graph: GraphDescription { self.version.withLock(\.graph) }

    /// The counts so far, as of the last complete batch; callable from any thread.
    public var statistics: PipelineStatistics { self.counters.statistics() }

    /// The status of the pipeline: the source's, and whether its batch is stalled. Callable from any thread.
    ///
    /// Readiness, lag and everything else that is shown to users come from here. `source.status` alone is as of the
    /// last complete batch, so it still says caught up while a batch waits in a stage and thousands of entries are
    /// pending.
    public var status: SourceStatus { self.status(at: .now) }

    /// The status of the pipeline as of an instant, for tests that do not wait.
    package func status(at now: ContinuousClock.Instant) -> SourceStatus {
        self.flight.status(of: self.source.status, now: now)
    }

    /// The progress of the run and how long it may be silent. Callable from any thread.
    public var activity: PipelineActivity {
        let batch = self.flight.since
        let source = self.source.status
        return PipelineActivity(
            steps: PipelineActivity.Steps(
                batch: batch, pulses: self.progress.pulses, source: batch == nil ? source.pulses : nil),
            silentUntil: self.progress.silentUntil, patience: batch == nil ? source.patience : .zero)
    }

    /// Receives the progress of components that an embedding program provides, such as a publisher, while they wait.
    public var progress: ProgressReporter { self.services.progress }

    /// The connections that the pipeline's components have had, and the failures of their credentials.
    public var connections: ConnectionHistory { self.services.connections }
    /// Whether the file has a top-level section.
    public func hasSection(_ name: String) -> Bool { self.sections[name] != nil }

    /// Returns a top-level section of a part outside the engine, with its defaults if the file omits it.
    ///
    /// - Throws: The errors in the section, which a section type of the catalogue has reported when the pipeline was
    ///   created.
    public func section<Settings: Sendable>(
        _ name: String, _ settings: SettingType<Settings>
    ) throws(ConfigurationError) -> Settings {
        var issues = SettingIssues(context: name)
        let node = self.sections[name] ?? SettingNode(.null, at: SettingPosition(line: 1, column: 1))
        guard let value = settings.decode(node, &issues) else {
            throw ConfigurationError(file: self.file, issues: issues.all)
        }
        return value
    }

    /// The types, settings and keys that the file names.
    package var outline: FileOutline {
        FileOutline(self.definition, catalogue: self.catalogue, source: self.source)
    }

    /// Returns the settings of all stages of a type as in the file, in the order of the graph, then those of the stages
    /// created for its failure rules.
    public func settings(ofStages type: String) -> [SettingNode] {
        self.definition.components.filter { $0.type.text == type }.map(\.settings)
    }

    /// Returns the settings of a store as in the file, or `nil` if the file declares no store of that name.
    public func settings(ofStore name: String) -> SettingNode? {
        self.definition.stores.first { $0.name.text == name }?.component.settings
    }

    /// The parts of the version of the file in use.
    var definition: PipelineDefinition { self.version.withLock(\.definition) }
}
