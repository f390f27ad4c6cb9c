public import StageKit

/// All errors in a pipeline file, in the order of the file.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file's name as given by the user.
    public var file: String
    /// The issues, at least one.
    public var issues: [SettingIssue]

    /// Creates an error; issues are sorted by position, without duplicates.
    public init(file: String, issues: [SettingIssue]) {
        self.file = file
        var seen: Set<SettingIssue> = []
        self.issues = issues.filter { seen.insert($0).inserted }
            .enumerated().sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }.map(\.element)
    }

    /// One line per error: `pipeline.yaml:31:9: decode: unknown type "int46" (did you mean int64?)`.
    public var lines: [String] {
        self.issues.map { "\(self.file):\($0.position.line):\($0.position.column): \($0.message)" }
    }

    /// The lines joined by line feeds.
    public var description: String { self.lines.joined(separator: "\n") }
}
