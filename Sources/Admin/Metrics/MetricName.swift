import StageKit

/// Names as the Prometheus text format allows them.
///
/// Source: Prometheus, "Data model" (metric names and labels) and "Metric and label naming" (the suffixes).
enum MetricName {
    /// Returns a family's name: invalid characters become `_`, and the suffix of its kind is added if missing.
    static func family(_ label: String, kind: MetricKind) -> String {
        let name = self.sanitise(label, allowsColon: true)
        let suffix = kind.suffix
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    /// Returns labels with valid names, sorted by name; if two names become equal, the later label wins.
    ///
    /// Names that begin with `__` are reserved, and so is `le` in a histogram: both get the prefix `exported_`.
    static func labels(_ dimensions: [(String, String)], kind: MetricKind) -> [MetricLabel] {
        var labels: [MetricLabel] = []
        for (name, value) in dimensions {
            var name = self.sanitise(name, allowsColon: false)
            if name.hasPrefix("__") || kind == .histogram && name == "le" { name = "exported_\(name)" }
            labels.removeAll { $0.name == name }
            labels.append(MetricLabel(name: name, value: MetricLimits.cut(value)))
        }
        return labels.sorted { $0.name < $1.name }
    }

    private static func sanitise(_ text: String, allowsColon: Bool) -> String {
        var name = ""
        for scalar in MetricLimits.cut(text).unicodeScalars {
            let isDigit = ("0"..."9").contains(scalar)
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
            if isDigit, name.isEmpty { name = "_" }
            let isAllowed = isDigit || isLetter || scalar == "_" || allowsColon && scalar == ":"
            name.unicodeScalars.append(isAllowed ? scalar : "_")
        }
        return name.isEmpty ? "_" : name
    }
}

/// The kind of a family's series.
public enum MetricKind: String, Sendable {
    /// A number that only grows.
    case counter
    /// A number that goes up and down.
    case gauge
    /// Counts of values below bounds, and their sum.
    case histogram

    /// The suffix of names of this kind. Timers add `_seconds` themselves, because a histogram may record any unit.
    var suffix: String {
        self == .counter ? "_total" : ""
    }
}

/// One label of a series; its name is valid.
struct MetricLabel: Hashable, Sendable {
    /// The label's name.
    var name: String
    /// The original value, truncated if it is too long.
    var value: String
}

/// Limits of the registry.
public enum MetricLimits {
    /// Maximum number of sample lines in one exposition. 10,000 lines are about a megabyte, which is acceptable for a
    /// scrape every few seconds. Without a limit, a label with values from the stream would grow the process forever.
    public static let samples = 10_000
    /// Maximum bytes of a name or a label value: a label can come from the stream, where values may be megabytes.
    public static let textBytes = 256

    /// Returns the text, cut at a character boundary if it is too long.
    static func cut(_ text: String) -> String { text.prefix(bytes: self.textBytes) }
}
