/// A value that is read when it is asked for, not pushed: how many snapshots a store holds, how far behind a source is.
public struct MetricSample: Sendable {
    /// The family's name; characters that are not allowed become `_`, and a counter's name gets `_total`.
    public var name: String
    /// What it is; a histogram cannot be read this way and is left out.
    public var kind: MetricKind
    /// One sentence for people.
    public var help: String
    /// Names with values.
    public var labels: [(name: String, value: String)]
    /// The value.
    public var value: Double

    /// Makes a sample.
    public init(
        _ name: String, _ kind: MetricKind, help: String, labels: [(name: String, value: String)] = [], value: Double
    ) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.value = value
    }
}
