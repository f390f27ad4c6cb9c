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

    /// An empty catalogue.
    public init() {}

    /// Adds a stage type; one of the same name is replaced.
    public mutating func add<S: Stage>(_ type: S.Type) {
        let added = StageType(type)
        self.stages.removeAll { $0.name == added.name }
        self.stages.append(added)
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
