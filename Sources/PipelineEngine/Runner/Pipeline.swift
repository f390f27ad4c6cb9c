import Logging
public import ServiceLifecycle
public import StageKit

/// A checked pipeline, ready to run: a service that reads its source until it is told to stop.
///
/// Making one reads and checks the whole file and opens nothing. It is run once.
public final class Pipeline: Service, Sendable {
    /// The pipeline's name in the file.
    public let name: String
    /// The stores that the file declares, by name.
    public let stores: [String: any SnapshotStore]
    /// Where its events come from.
    public let source: any EventSource
    /// The checked graph in words.
    public let graph: GraphDescription

    private let sections: [String: SettingNode]
    private let file: String
    private let catalogue: Catalogue
    private let services: PipelineServices
    private let definition: PipelineDefinition
    private let counters: SharedCounters

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
        let definition = PipelineDefinition(tree.root, catalogue: catalogue, &issues)
        for (name, node) in definition.sections {
            catalogue.sections.first { $0.name == name }?.check(node, &issues)
        }
        let components = ComponentBuilder(definition: definition, catalogue: catalogue, services: services)
        var services = services
        services.revocationHandler = components.revocationHandler(&issues)
        let stores = components.stores(&issues)
        let source = components.source(&issues)
        let builder = GraphBuilder(definition: definition, catalogue: catalogue, stores: stores, services: services)
        let graph = builder.build(&issues)
        guard issues.all.isEmpty, let source else { throw ConfigurationError(file: file, issues: issues.all) }
        self.name = definition.name
        self.stores = stores
        self.source = source
        self.sections = definition.sections
        self.file = file
        self.catalogue = catalogue
        self.services = services
        self.counters = SharedCounters(graph: graph)
        self.graph = GraphDescriber(
            definition: definition, graph: graph, stores: stores, stream: source.stream
        ).describe()
        self.definition = definition
    }

    /// What the pipeline has done so far; callable from any thread, as of the last whole batch.
    public var statistics: PipelineStatistics { self.counters.statistics() }

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

    /// Runs until the source ends, a graceful shutdown begins or the task is cancelled; a batch in hand is finished first.
    ///
    /// Throws what the source, a stage or an observer cannot recover from.
    public func run() async throws {
        let runner = try self.makeRunner()
        let result: Result<Void, any Error>
        do {
            try await self.runSource(runner)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await self.services.revocationHandler?.shutDown()
        try result.get()
    }

    private func runSource(_ runner: GraphRunner) async throws {
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await self.source.run { batch in try await runner.process(batch) }
            } onGracefulShutdown: {
                self.source.stop()
            }
        } onCancel: {
            self.source.stop()
        }
    }

    /// Stages are made anew for the run: an instance belongs to the thread that runs it.
    private func makeRunner() throws -> GraphRunner {
        var issues = SettingIssues()
        let builder = GraphBuilder(
            definition: self.definition, catalogue: self.catalogue, stores: self.stores, services: self.services)
        let graph = builder.build(&issues)
        guard issues.all.isEmpty else { throw ConfigurationError(file: self.file, issues: issues.all) }
        return GraphRunner(
            graph: graph, counters: self.counters, observer: try self.services.makeObserver?(),
            services: self.services)
    }
}
