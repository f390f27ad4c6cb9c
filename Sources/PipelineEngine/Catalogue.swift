public import ComponentKit
public import StageKit

/// Everything a pipeline file can name: stage, source and store types, and the sections of parts outside the engine.
public struct Catalogue: Sendable {
    /// Stage types in the order of documentation.
    public private(set) var stages: [StageType] = []
    /// Source types.
    public private(set) var sources: [SourceType] = []
    /// Store types.
    public private(set) var stores: [StoreType] = []
    /// Sections at the top level.
    public private(set) var sections: [SectionType] = []

    /// Creates a revocation handler from the file's sections, or returns `nil` if they declare none. It is notified in
    /// addition to the handler of an embedding program.
    public var makeRevocationHandler: (@Sendable (ComponentSetup) -> (any RevocationHandler)?)?

    /// Creates the publisher for the messages of stages from the file's sections, or returns `nil` if they name no
    /// server. It connects when the first message is sent.
    public var makePublisher: (@Sendable (ComponentSetup) -> (any MessagePublisher)?)?

    /// Creates the reader of Redis hashes from the file's sections, or returns `nil` if they name no server. It connects
    /// at the first request.
    public var makeHashReader: (@Sendable (ComponentSetup) -> (any HashReader)?)?

    /// Loads the types of a shared library at a path; `nil` if plugins are not supported.
    ///
    /// - Throws: The problem with the library, after its path.
    public var loadPlugin: (@Sendable (_ path: String) throws(SettingRefusal) -> Plugin)?
    /// The shared libraries whose types are in the catalogue.
    public private(set) var plugins: [Plugin] = []
    /// Whether a plugin could not be loaded, so that the set of types is incomplete.
    var isIncomplete = false

    /// Creates the checkpoint of the stores and the source's cursor from the file's sections, or returns `nil` if they
    /// declare none.
    public var makeCheckpoint: (@Sendable (ComponentSetup) -> (any CheckpointKeeper)?)?

    /// Checks the parts of a file against each other: settings that are valid alone may be incompatible. `nil` for no
    /// check. The stores are those that the file declares; there are none if the file has other errors, because the
    /// stages that write to them may then be missing.
    public var checkFile: (@Sendable (FileOutline, _ stores: [String: any SnapshotStore]) -> FileOutline.Findings)?

    /// Creates an empty catalogue.
    public init() {}

    /// Adds a stage type; one of the same name is replaced.
    public mutating func add<S: Stage>(_ type: S.Type) {
        self.add(StageType(type))
    }

    /// Adds a stage type; one of the same name is replaced.
    public mutating func add(_ type: StageType) {
        self.stages.removeAll { $0.name == type.name }
        self.stages.append(type)
    }

    /// Adds types; those of the same kind and name are replaced.
    public mutating func add(_ types: ComponentTypes) {
        for type in types.stages { self.add(type) }
        for type in types.sources { self.add(type) }
        for type in types.stores { self.add(type) }
    }

    /// The stage, source and store types.
    var types: ComponentTypes {
        ComponentTypes(stages: self.stages, sources: self.sources, stores: self.stores)
    }

    /// Adds a shared library's types, which must have names of their own.
    mutating func append(_ plugin: Plugin) {
        self.plugins.append(plugin)
        self.add(plugin.types)
    }

    /// Adds a source type; one of the same name is replaced.
    public mutating func add(_ type: SourceType) {
        self.sources.removeAll { $0.name == type.name }
        self.sources.append(type)
    }

    /// Adds a store type; one of the same name is replaced.
    public mutating func add(_ type: StoreType) {
        self.stores.removeAll { $0.name == type.name }
        self.stores.append(type)
    }

    /// Adds a section type; one of the same name is replaced.
    public mutating func add(_ type: SectionType) {
        self.sections.removeAll { $0.name == type.name }
        self.sections.append(type)
    }
}
