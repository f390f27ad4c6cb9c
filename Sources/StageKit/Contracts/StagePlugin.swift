/// Stage types from a shared library.
public struct StagePlugin: Sendable {
    /// The path of the library, without symbolic links, `.` and `..`.
    public let path: String
    /// The stage types in the library.
    public let stages: [StageType]

    /// Creates a plugin from the stage types found in a file.
    public init(path: String, stages: [StageType]) {
        self.path = path
        self.stages = stages
    }
}

/// Passes the stage types of a shared library to the worker that loads it.
///
/// The library exports a C function `sluice_plugin_stages`, which has no parameters and returns the result of
/// `handOver`; `sluice plugin build` generates it. Library and worker share the worker's StageKit, so this is the same
/// class in both.
public final class PluginStages: Sendable {
    /// The stage types.
    public let types: [StageType]

    private init(_ types: [StageType]) {
        self.types = types
    }

    /// Returns a pointer that owns one reference to the types, for `takeOver`.
    @unsafe
    public static func handOver(_ types: [StageType]) -> UnsafeMutableRawPointer {
        unsafe Unmanaged.passRetained(PluginStages(types)).toOpaque()
    }

    /// Returns the types from a pointer and consumes its reference.
    ///
    /// - Parameter pointer: The result of `handOver`, which must be passed only once.
    @unsafe
    public static func takeOver(_ pointer: UnsafeMutableRawPointer) -> PluginStages {
        unsafe Unmanaged<PluginStages>.fromOpaque(pointer).takeRetainedValue()
    }
}
