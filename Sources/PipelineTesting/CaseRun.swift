import Admin
import ComponentKit
import Logging
import Operations
import PipelineEngine
import StageKit
import StageTestKit

/// Runs a case's entries through its pipeline, offline and in this process.
struct CaseRun {
    /// The pipeline, before it runs.
    let pipeline: Pipeline
    private let timeLimit: Duration
    private let recorder: CaseRecorder
    private let registry: MetricsRegistry
    private let log: RecordingLog
    private let publisher: RecordingPublisher

    /// Reads and checks the pipeline of a case; opens nothing.
    ///
    /// - Parameters:
    ///   - text: The pipeline file's bytes.
    ///   - name: The pipeline file's name, for messages.
    ///   - batchSize: The number of entries per batch.
    ///   - timeLimit: The maximum duration before the run is cancelled.
    init(
        _ one: TestCase, of file: TestFile, pipeline text: [UInt8], named name: String, catalogue: Catalogue,
        batchSize: Int, timeLimit: Duration
    ) throws(ConfigurationError) {
        let (recorder, registry, log) = (CaseRecorder(), MetricsRegistry(), RecordingLog())
        let publisher = RecordingPublisher()
        var services = PipelineServices(
            logger: log.logger(label: "test", level: .info), metrics: registry, revocationHandler: recorder)
        services.publisher = publisher
        services.hashReader = one.hashReader
        services.isRehearsal = true
        let time = one.clock
        services.clock = WallClock { time }
        services.makeObserver = { recorder.makeObserver() }
        let variables = (file.environment + one.environment).map { ($0.name, $0.value) }
        let pipeline = try Pipeline(
            text: text, file: name, environment: Dictionary(variables, uniquingKeysWith: { _, last in last }),
            overrides: (file.overrides + one.overrides).compactMap { Override("\($0.name)=\($0.value)") },
            catalogue: catalogue.offline(entries: one.delivered, batchSize: batchSize), services: services)
        registry.registerCollector {
            PipelineCollector(pipeline: pipeline).samples().filter { !$0.name.hasPrefix("sluice_source_") }
        }
        self.pipeline = pipeline
        self.timeLimit = timeLimit
        self.recorder = recorder
        self.registry = registry
        self.log = log
        self.publisher = publisher
    }

    /// Runs the pipeline to the end of its entries and returns the results.
    func observe() async -> CaseObservation {
        var observation = CaseObservation()
        observation.error = await self.run()
        observation.outcomes = self.recorder.outcomes
        observation.revocations = self.recorder.revocations
        observation.evictions = self.recorder.evictions
        observation.log = self.log.lines
        observation.messages = self.publisher.messages
        for (name, store) in self.pipeline.stores { observation.stores[name] = store.sortedSnapshots() }
        observation.series = self.registry.samples().map { sample in
            let labels = sample.labels.map { ObservedSeries.Label(name: $0.name, value: $0.value) }
            return ObservedSeries(
                name: sample.name, labels: labels.sorted { $0.name < $1.name }, value: sample.value)
        }.sorted { $0.title < $1.title }
        return observation
    }

    /// Runs the pipeline and returns the error that ended the run, or `nil` if it succeeded.
    private func run() async -> String? {
        let (pipeline, timeLimit) = (self.pipeline, self.timeLimit)
        return await withTaskGroup(of: String?.self) { group in
            group.addTask {
                do {
                    try await pipeline.run()
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            group.addTask {
                do {
                    try await Task.sleep(for: timeLimit)
                    return "not finished after \(timeLimit): a stage waits for something that does not happen"
                } catch {
                    return nil
                }
            }
            let first = await group.next()
            group.cancelAll()
            return first ?? nil
        }
    }
}

extension TestCase {
    /// The reader of the case's hashes.
    fileprivate var hashReader: RecordingHashReader {
        let reader = RecordingHashReader()
        for hash in self.hashes {
            for field in hash.value { reader.hold(Array(hash.name.utf8), field: Array(field.name.utf8), field.value) }
        }
        return reader
    }

    /// The entries with their ids, as the source delivers them.
    var delivered: [MemorySource.Entry] {
        var last = EntryID.zero
        return self.entries.map { entry in
            let (next, overflow) = last.milliseconds.addingReportingOverflow(1)
            last = entry.id ?? EntryID(milliseconds: overflow ? .max : next, sequence: 0)
            return MemorySource.Entry(id: last, fields: entry.fields)
        }
    }
}

extension SnapshotStore {
    /// Returns all snapshots, sorted by key.
    fileprivate func sortedSnapshots() -> [Snapshot] {
        var all: [Snapshot] = []
        self.forEachSnapshot { all.append($0) }
        return all.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }
}
