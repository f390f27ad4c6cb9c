public import CoreMetrics
public import Logging

/// A kind of source that the file can name under `source:`.
public struct SourceType: Sendable {
    /// The name in the file.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// What its settings look like.
    public let shape: SettingShape
    /// Decodes the settings and makes a source that has not started; nil where that cannot be done.
    public let make: @Sendable (SettingNode, ComponentSetup) -> (any EventSource)?

    /// Makes a source type; `make` reads nothing but the file's values and opens nothing.
    public init<Settings: Sendable>(
        name: String, summary: String, settings: SettingType<Settings>,
        make: @escaping @Sendable (Settings, ComponentSetup) -> (any EventSource)?
    ) {
        self.name = name
        self.summary = summary
        self.shape = settings.shape
        self.make = { node, setup in
            let decoded = setup.issues.within(name) { issues in settings.decode(node, &issues) }
            return decoded.flatMap { make($0, setup) }
        }
    }
}

/// A kind of store that the file can name under `stores:`.
public struct StoreType: Sendable {
    /// The name in the file.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// What its settings look like.
    public let shape: SettingShape
    /// Names of settings that bound what a store holds and decide nothing else: a checkpoint outlives their change.
    public let bounds: Set<String>
    /// Decodes the settings and makes an empty store; nil where that cannot be done.
    public let make: @Sendable (SettingNode, ComponentSetup) -> (any SnapshotStore)?

    /// Makes a store type; `make` reads nothing but the file's values and opens nothing. The store's own name in the
    /// file is `setup.name`.
    public init<Settings: Sendable>(
        name: String, summary: String, settings: SettingType<Settings>, bounds: Set<String> = [],
        make: @escaping @Sendable (Settings, ComponentSetup) -> (any SnapshotStore)?
    ) {
        self.name = name
        self.summary = summary
        self.bounds = bounds
        self.shape = settings.shape
        self.make = { node, setup in
            let decoded = setup.issues.within(name) { issues in settings.decode(node, &issues) }
            return decoded.flatMap { make($0, setup) }
        }
    }
}

/// A section at the file's top level that parts outside the engine read: `redis`, `admin` and so on.
public struct SectionType: Sendable {
    /// The name in the file.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// What its settings look like.
    public let shape: SettingShape
    /// Reads the section and adds what is wrong to the issues.
    public let check: @Sendable (SettingNode, inout SettingIssues) -> Void

    /// Makes a section type of how its settings are read.
    public init<Settings: Sendable>(name: String, summary: String, settings: SettingType<Settings>) {
        self.name = name
        self.summary = summary
        self.shape = settings.shape
        self.check = { node, issues in
            issues.within(name) { issues in _ = settings.decode(node, &issues) }
        }
    }
}

/// What sources and stores are made with.
public final class ComponentSetup {
    /// The component's name in the file.
    public let name: String
    /// Where it stands in the file.
    public let mark: SourceMark
    /// Logs under the pipeline's and the component's name.
    public let logger: Logger
    /// Makes counters, gauges and timers.
    public let metrics: any MetricsFactory
    /// The stores that the file declares, by name: none where stores themselves are made.
    public var stores: [String: any SnapshotStore] = [:]
    /// A digest of what decides how the stores look: the stores, stages and branches of the file.
    public var definition = ""
    /// Where the stores and a source's position are kept, nil for nowhere.
    public var checkpoint: (any CheckpointKeeper)?
    /// The handler that a source notifies after it has emptied a store, or `nil` if there is none.
    public var revocationHandler: (any RevocationHandler)?
    /// Where a component that waits within a batch reports its steps and the bounds of its waits.
    public var progress = ProgressReporter()
    /// Where the file says what follows for events that fail at the component itself; nil where it does not.
    public var failureMark: SourceMark?
    /// Collects what is wrong.
    public var issues = SettingIssues()
    /// Collects what a person may have overlooked; the pipeline runs all the same.
    public var warnings = SettingIssues()

    private let sections: [String: SettingNode]

    /// Makes a setup; `sections` are the file's top-level sections by name.
    public init(
        name: String, mark: SourceMark, logger: Logger, metrics: any MetricsFactory, sections: [String: SettingNode]
    ) {
        self.name = name
        self.mark = mark
        self.logger = logger
        self.metrics = metrics
        self.sections = sections
    }

    /// Whether the file has a section.
    public func hasSection(_ name: String) -> Bool {
        self.sections[name] != nil
    }

    /// A section read by its type; nil where it cannot be read, which is reported where the section itself is checked.
    ///
    /// A section that the file leaves out reads as one without settings: what is missing in it is an issue here.
    public func section<Settings: Sendable>(_ name: String, _ settings: SettingType<Settings>) -> Settings? {
        if let node = self.sections[name] {
            var alreadyReported = SettingIssues()
            return settings.decode(node, &alreadyReported)
        }
        return self.issues.within(name) { issues in
            settings.decode(SettingNode(.null, at: self.mark), &issues)
        }
    }
}
