/// The current values of one metric family, for exporters other than the text exposition.
package struct MetricReading: Sendable {
    /// The current value of a series.
    package enum Value: Sendable {
        /// A number.
        case number(Double)
        /// Cumulative counts; the last one, above all bounds, counts all values.
        case histogram(bounds: [Double], counts: [Int64], sum: Double)

        init(_ value: MetricText.Value) {
            switch value {
            case .number(let text): self = .number(Double(text) ?? .nan)
            case .histogram(let bounds, let counts, let sum):
                self = .histogram(bounds: bounds, counts: counts, sum: sum)
            }
        }
    }

    /// One series.
    package struct Series: Sendable {
        /// Label names and values.
        package var labels: [(name: String, value: String)]
        /// The value.
        package var value: Value

        /// Creates a series.
        package init(labels: [(name: String, value: String)], value: Value) {
            self.labels = labels
            self.value = value
        }
    }

    /// The family's name, as in the exposition.
    package var name: String
    /// The kind of metric.
    package var kind: MetricKind
    /// The help text, one sentence.
    package var help: String
    /// The series, at least one.
    package var series: [Series]

    /// Creates a reading.
    package init(name: String, kind: MetricKind, help: String, series: [Series]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.series = series
    }
}
