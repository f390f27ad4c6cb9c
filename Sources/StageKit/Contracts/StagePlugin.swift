/// Stage types from a shared library.
public struct StagePlugin: Sendable {
    /// The library's file, without symbolic links, `.` and `..` in its path.
    public let path: String
    /// The stage types in it.
    public let stages: [StageType]

    /// Names the types that a file holds.
    public init(path: String, stages: [StageType]) {
        self.path = path
        self.stages = stages
    }
}

/// How a shared library hands its stage types to the worker that loads it.
///
/// The library exports a C function called `sluice_plugin_stages` that takes nothing and returns what `handOver` returns;
/// `sluice plugin build` writes it. Library and worker share one StageKit, the worker's, so this is the same class in both.
public final class PluginStages: Sendable {
    /// The stage types.
    public let types: [StageType]

    private init(_ types: [StageType]) {
        self.types = types
    }

    /// Gives the types away: the pointer owns one reference, which `takeOver` takes.
    @unsafe
    public static func handOver(_ types: [StageType]) -> UnsafeMutableRawPointer {
        unsafe Unmanaged.passRetained(PluginStages(types)).toOpaque()
    }

    /// Takes what `handOver` gave; `pointer` must come from it and be taken once.
    @unsafe
    public static func takeOver(_ pointer: UnsafeMutableRawPointer) -> PluginStages {
        unsafe Unmanaged<PluginStages>.fromOpaque(pointer).takeRetainedValue()
    }
}
