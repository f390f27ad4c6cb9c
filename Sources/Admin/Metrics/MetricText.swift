/// The Prometheus text format, version 0.0.4.
///
/// Source: Prometheus, "Exposition formats", text-based format.
enum MetricText {
    /// The media type.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// One family in the exposition.
    struct Family {
        /// The kind of metric.
        var kind: MetricKind
        /// The help text, one sentence.
        var help: String
        /// Its series with their labels, in any order.
        var series: [[MetricLabel]: Value]
    }

    /// The current value of one series.
    enum Value {
        /// A number as text.
        case number(String)
        /// Cumulative counts; the last one, above all bounds, counts all values.
        case histogram(bounds: [Double], counts: [Int64], sum: Double)
    }

    /// Writes all families sorted by name, each with its series sorted by labels.
    static func write(_ families: [String: Family]) -> String {
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(self.escape(family.help, quotes: false))\n"
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            let lines = family.series.map { labels, value in
                (order: labels.map { "\($0.name)\u{0}\($0.value)" }.joined(separator: "\u{0}"), labels, value)
            }
            for (_, labels, value) in lines.sorted(by: { $0.order < $1.order }) {
                self.append(name, labels, value, to: &text)
            }
        }
        return text
    }

    /// Formats a number: integers without a decimal point, `+Inf`, `-Inf`, `NaN`.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    private static func append(_ name: String, _ labels: [MetricLabel], _ value: Value, to text: inout String) {
        switch value {
        case .number(let number):
            text += "\(name)\(self.braces(labels)) \(number)\n"
        case .histogram(let bounds, let counts, let sum):
            for (bound, count) in zip(bounds + [.infinity], counts) {
                let bucket = labels + [MetricLabel(name: "le", value: self.number(bound))]
                text += "\(name)_bucket\(self.braces(bucket)) \(count)\n"
            }
            text += "\(name)_sum\(self.braces(labels)) \(self.number(sum))\n"
            text += "\(name)_count\(self.braces(labels)) \(counts.last ?? 0)\n"
        }
    }

    private static func braces(_ labels: [MetricLabel]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{\(labels.map { "\($0.name)=\"\(self.escape($0.value, quotes: true))\"" }.joined(separator: ","))}"
    }

    private static func escape(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
