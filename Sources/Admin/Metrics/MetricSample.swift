/// A value that is read on demand instead of pushed, such as the number of snapshots in a store or the lag of a source.
public struct MetricSample: Sendable {
    /// The family's name; characters that are not allowed become `_`, and a counter's name gets `_total`.
    public var name: String
    /// The kind; a histogram cannot be read this way and is omitted.
    public var kind: MetricKind
    /// The help text, one sentence.
    public var help: String
    /// Label names and values.
    public var labels: [(name: String, value: String)]
    /// The value.
    public var value: Double

    /// Creates a sample.
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

extension MetricText.Value {
    /// Returns the value as samples: itself, or a histogram's `_count` and `_sum`.
    func samples(
        _ name: String, _ family: MetricText.Family, _ labels: [(name: String, value: String)]
    ) -> [MetricSample] {
        switch self {
        case .number(let text):
            [MetricSample(name, family.kind, help: family.help, labels: labels, value: Double(text) ?? .nan)]
        case .histogram(_, let counts, let sum):
            [
                MetricSample(
                    "\(name)_count", .counter, help: family.help, labels: labels, value: Double(counts.last ?? 0)),
                MetricSample("\(name)_sum", .counter, help: family.help, labels: labels, value: sum),
            ]
        }
    }
}
