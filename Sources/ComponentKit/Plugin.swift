public import StageKit

/// Stage, source and store types that a program or a shared library adds to those that ship with Sluice.
public struct ComponentTypes: Sendable {
    /// The stage types.
    public var stages: [StageType]
    /// The source types.
    public var sources: [SourceType]
    /// The store types.
    public var stores: [StoreType]

    /// Creates a list of types.
    public init(stages: [StageType] = [], sources: [SourceType] = [], stores: [StoreType] = []) {
        self.stages = stages
        self.sources = sources
        self.stores = stores
    }

    /// The kind and the name of each type, in order: stages, sources, stores.
    package var names: [ComponentName] {
        self.stages.map { ComponentName(kind: .stage, name: $0.name) }
            + self.sources.map { ComponentName(kind: .source, name: $0.name) }
            + self.stores.map { ComponentName(kind: .store, name: $0.name) }
    }
}

/// The name of a type in pipeline files. Types of different kinds can have the same name.
package struct ComponentName: Sendable, Hashable {
    /// The kind of a type.
    package enum Kind: String, Sendable {
        /// A type that files use under `stages` and in branches.
        case stage
        /// A type that files use under `source`.
        case source
        /// A type that files use under `stores`.
        case store
    }

    /// The kind.
    package var kind: Kind
    /// The name.
    package var name: String
}

/// A shared library that was loaded.
public struct Plugin: Sendable {
    /// The path of the library, without symbolic links, `.` and `..`.
    public let path: String
    /// The types in the library.
    public let types: ComponentTypes

    /// Creates a plugin from the types found in a file.
    public init(path: String, types: ComponentTypes) {
        self.path = path
        self.types = types
    }
}

/// Passes the types of a shared library to the worker that loads it.
///
/// The library exports a C function `sluice_plugin_types`, which has no parameters and returns the result of
/// `handOver`; `sluice plugin build` generates it. Library and worker share the worker's ComponentKit, so this is the
/// same class in both.
public final class PluginHandover: Sendable {
    /// The types.
    public let types: ComponentTypes

    private init(_ types: ComponentTypes) {
        self.types = types
    }

    /// Returns a pointer that owns one reference to the types, for `takeOver`.
    @unsafe
    public static func handOver(_ types: ComponentTypes) -> UnsafeMutableRawPointer {
        unsafe Unmanaged.passRetained(PluginHandover(types)).toOpaque()
    }

    /// Returns a pointer that owns one reference to stage types, for `takeOver`.
    @unsafe
    public static func handOver(_ stages: [StageType]) -> UnsafeMutableRawPointer {
        unsafe self.handOver(ComponentTypes(stages: stages))
    }

    /// Returns a pointer that owns one reference to source types, for `takeOver`.
    @unsafe
    public static func handOver(_ sources: [SourceType]) -> UnsafeMutableRawPointer {
        unsafe self.handOver(ComponentTypes(sources: sources))
    }

    /// Returns a pointer that owns one reference to store types, for `takeOver`.
    @unsafe
    public static func handOver(_ stores: [StoreType]) -> UnsafeMutableRawPointer {
        unsafe self.handOver(ComponentTypes(stores: stores))
    }

    /// Returns the types from a pointer and consumes its reference.
    ///
    /// - Parameter pointer: The result of `handOver`, which must be passed only once.
    @unsafe
    public static func takeOver(_ pointer: UnsafeMutableRawPointer) -> PluginHandover {
        unsafe Unmanaged<PluginHandover>.fromOpaque(pointer).takeRetainedValue()
    }
}
