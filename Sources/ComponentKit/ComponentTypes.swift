public import CoreMetrics
public import Logging
public import StageKit

/// A type of source that a pipeline file can use under `source:`.
public struct SourceType: Sendable {
    /// The name in the file.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// The shape of the settings.
    public let shape: SettingShape
    /// Returns the keys that a source with these settings uses on the server of the section `redis`; none if the settings
    /// are invalid. `nil` if the type uses none.
    public let keys: (@Sendable (SettingNode) -> [ServerKey])?
    /// Decodes the settings and creates a source that has not started, or returns `nil` if that is impossible.
    public private(set) var make: @Sendable (SettingNode, ComponentSetup) -> (any EventSource)?

    /// Creates a source type. `make` uses only the values in the file and opens nothing.
    public init<Settings: Sendable>(
        name: String, summary: String, settings: SettingType<Settings>,
        keys: (@Sendable (Settings) -> [ServerKey])? = nil,
        make: @escaping @Sendable (Settings, ComponentSetup) -> (any EventSource)?
    ) {
        self.name = name
        self.summary = summary
        self.shape = settings.shape
        if let keys {
            self.keys = { node in settings.decodeSilently(node).map(keys) ?? [] }
        } else {
            self.keys = nil
        }
        self.make = { node, setup in
            let decoded = setup.issues.within(name) { issues in settings.decode(node, &issues) }
            return decoded.flatMap { make($0, setup) }
        }
    }

    /// Returns the same type with another source: `make` is passed the settings as they stand in the file.
    public func making(
        _ make: @escaping @Sendable (SettingNode, ComponentSetup) -> (any EventSource)?
    ) -> SourceType {
        var type = self
        type.make = make
        return type
    }
}

/// A type of store that a pipeline file can use under `stores:`.
public struct StoreType: Sendable {
    /// The name in the file.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// The shape of the settings.
    public let shape: SettingShape
    /// The names of settings that only limit the content of a store. A checkpoint stays valid if they change.
    public let bounds: Set<String>
    /// Returns the keys that a store with these settings and this name uses on a server: that of its setting `server`,
    /// which has the form of the section `redis`, or that of the section `redis` itself. None if the settings are invalid.
    /// `nil` if the type uses none.
    public let keys: (@Sendable (SettingNode, _ name: String) -> [ServerKey])?
    /// Decodes the settings and creates an empty store, or returns `nil` if that is impossible.
    public private(set) var make: @Sendable (SettingNode, ComponentSetup) -> (any SnapshotStore)?

    /// Creates a store type. `make` uses only the values in the file and opens nothing. The store's name in the file is
    /// `setup.name`.
    public init<Settings: Sendable>(
        name: String, summary: String, settings: SettingType<Settings>, bounds: Set<String> = [],
        keys: (@Sendable (Settings, _ name: String) -> [ServerKey])? = nil,
        make: @escaping @Sendable (Settings, ComponentSetup) -> (any SnapshotStore)?
    ) {
        self.name = name
        self.summary = summary
        self.bounds = bounds
        self.shape = settings.shape
        if let keys {
            self.keys = { node, name in settings.decodeSilently(node).map { keys($0, name) } ?? [] }
        } else {
            self.keys = nil
        }
        self.make = { node, setup in
            let decoded = setup.issues.within(name) { issues in settings.decode(node, &issues) }
            return decoded.flatMap { make($0, setup) }
        }
    }

    /// Returns the same type with another store: `make` is passed the settings as they stand in the file.
    public func making(
        _ make: @escaping @Sendable (SettingNode, ComponentSetup) -> (any SnapshotStore)?
    ) -> StoreType {
        var type = self
        type.make = make
        return type
    }
}

/// A top-level section of the file that is read by modules outside the engine, such as `redis` or `admin`.
public struct SectionType: Sendable {
    /// The name in the file.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// The shape of the settings.
    public let shape: SettingShape
    /// Reads the section and adds its errors to the issues.
    public let check: @Sendable (SettingNode, inout SettingIssues) -> Void

    /// Creates a section type from the type of its settings.
    public init<Settings: Sendable>(name: String, summary: String, settings: SettingType<Settings>) {
        self.name = name
        self.summary = summary
        self.shape = settings.shape
        self.check = { node, issues in
            issues.within(name) { issues in _ = settings.decode(node, &issues) }
        }
    }
}

/// The context in which sources and stores are created.
public final class ComponentSetup {
    /// The component's name in the file.
    public let name: String
    /// The component's position in the file.
    public let position: SettingPosition
    /// A logger labelled with the pipeline's and the component's name.
    public let logger: Logger
    /// Creates counters, gauges and timers.
    public let metrics: any MetricsFactory
    /// The pipeline's name in the file.
    public var pipeline = ""
    /// The stores that the file declares, by name. Empty while the stores themselves are created.
    public var stores: [String: any SnapshotStore] = [:]
    /// A digest of the configuration that determines the content of the stores: the stores, and the stages that
    /// write to them or lead to one that does.
    public var definition = ""
    /// The digest that the previous version of the program wrote for the same file, or `nil` if it is not known.
    public var previousDefinition: String?
    /// The checkpoint of the stores and the source's position, or `nil` if there is none.
    public var checkpoint: (any CheckpointKeeper)?
    /// The handler that a source notifies after it has emptied a store, or `nil` if there is none.
    public var revocationHandler: (any RevocationHandler)?
    /// The reporter to which a component that waits within a batch reports its steps and the limits of its waits.
    public var progress = ProgressReporter()
    /// The connections of the run so far. A component that connects to a server records there which credentials were
    /// accepted.
    public var connections = ConnectionHistory()
    /// The clock from which components read the time of day.
    public var clock = WallClock.system
    /// Whether nothing outside of this process may be touched, as in `sluice test`. A component then creates no file, and
    /// takes the time from `clock` alone.
    public var isRehearsal = false
    /// Collects errors.
    public var issues = SettingIssues()
    /// Collects warnings; the pipeline runs regardless of them.
    public var warnings = SettingIssues()

    private let sections: [String: SettingNode]

    /// Creates a setup. `sections` are the file's top-level sections by name.
    public init(
        name: String, position: SettingPosition, logger: Logger, metrics: any MetricsFactory,
        sections: [String: SettingNode]
    ) {
        self.name = name
        self.position = position
        self.logger = logger
        self.metrics = metrics
        self.sections = sections
    }

    /// Returns whether the file has the section.
    public func hasSection(_ name: String) -> Bool {
        self.sections[name] != nil
    }

    /// Returns the section's position in the file, or the component's own if the file does not have the section.
    public func position(ofSection name: String) -> SettingPosition {
        self.sections[name]?.position ?? self.position
    }

    /// Returns the decoded section, or `nil` if it is invalid. Errors in a section are reported when the section itself
    /// is checked.
    ///
    /// A section that is missing from the file is decoded as one without settings; a missing required setting is then
    /// reported here.
    public func section<Settings: Sendable>(_ name: String, _ settings: SettingType<Settings>) -> Settings? {
        if let node = self.sections[name] {
            return settings.decodeSilently(node)
        }
        return self.issues.within(name) { issues in
            settings.decode(SettingNode(.null, at: self.position), &issues)
        }
    }
}
