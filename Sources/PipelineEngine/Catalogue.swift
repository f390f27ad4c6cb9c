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

    /// Makes a revocation handler of what the file's sections say, nil where they say nothing; it is told of revocations
    /// beside the one that an embedding program gives.
    public var makeRevocationHandler: (@Sendable (ComponentSetup) -> (any RevocationHandler)?)?

    /// Makes what sends the messages of stages, of what the file's sections say; nil where they name no server. It opens
    /// nothing until the first message.
    public var makePublisher: (@Sendable (ComponentSetup) -> (any MessagePublisher)?)?

    /// Loads stage types from a shared library at a path; nil where that is not wanted.
    ///
    /// What is wrong with the library is thrown, after its path.
    public var loadPlugin: (@Sendable (_ path: String) throws(SettingRefusal) -> StagePlugin)?
    /// The shared libraries whose stage types are among `stages`.
    public private(set) var plugins: [StagePlugin] = []
    /// Whether a plugin could not be loaded, so that which stage types there are is not known.
    var isIncomplete = false

    /// Makes a place for the stores and the source's position of what the file's sections say, nil where they say nothing.
    public var makeCheckpoint: (@Sendable (ComponentSetup) -> (any CheckpointKeeper)?)?

    /// Compares the parts of a file, whose settings may each be good and yet exclude one another; `nil` for no such check.
    public var checkFile: (@Sendable (FileOutline) -> FileOutline.Findings)?

    /// An empty catalogue.
    public init() {}

    /// Adds a stage type; one of the same name is replaced.
    public mutating func add<S: Stage>(_ type: S.Type) {
        let added = StageType(type)
        self.stages.removeAll { $0.name == added.name }
        self.stages.append(added)
    }

    /// Adds a shared library's stage types, which must have names of their own.
    mutating func append(_ plugin: StagePlugin) {
        self.plugins.append(plugin)
        self.stages += plugin.stages
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
