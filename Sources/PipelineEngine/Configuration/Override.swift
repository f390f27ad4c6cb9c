import StageKit
import YAML

/// One value given beside the file: `source.redis_stream.read_count=1024`.
public struct Override: Sendable, Equatable {
    /// The names that lead to the value. Into a list leads a number, from 0; into a list of stages a stage's name or type
    /// as well, and behind it what stands beside the type or one of the stage's settings.
    public var path: [String]
    /// The value as YAML text.
    public var value: String

    /// Reads `path=value`; nil where there is no path or no `=`.
    public init?(_ text: String) {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        let path = text[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard path.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.path = path
        self.value = String(text[text.index(after: equals)...])
    }
}
