import StageKit
import YAML

/// A value that overrides one of the file: `source.redis_stream.read_count=1024`.
public struct Override: Sendable, Equatable {
    /// The names that lead to the value. An item of a list is a number from 0; a stage in a list can also be its name
    /// or type, followed by a key next to the type or one of the stage's settings.
    public var path: [String]
    /// The value as YAML text.
    public var value: String

    /// Reads `path=value`; returns `nil` if there is no path or no `=`.
    public init?(_ text: String) {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        let path = text[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard path.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.path = path
        self.value = String(text[text.index(after: equals)...])
    }
}
