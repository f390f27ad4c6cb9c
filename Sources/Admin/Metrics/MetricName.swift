/// Names as the Prometheus text format allows them.
///
/// Source: Prometheus, "Data model" (metric names and labels) and "Metric and label naming" (the suffixes).
enum MetricName {
    /// The name of a family: characters that are not allowed become `_`, and the suffix of its kind is added where missing.
    static func family(_ label: String, kind: MetricKind) -> String {
        let name = self.sanitise(label, allowsColon: true)
        let suffix = kind.suffix
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    /// Labels with allowed names, sorted by name; where two names become the same, the later one wins.
    ///
    /// Names that begin with `__` are reserved, and so is `le` in a histogram: both get `exported_` in front.
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

    /// The suffix of names of this kind. Timers add `_seconds` themselves: a histogram may hold anything.
    var suffix: String {
        self == .counter ? "_total" : ""
    }
}

/// One label of a series; the name is an allowed one.
struct MetricLabel: Hashable, Sendable {
    /// The name.
    var name: String
    /// The original value, cut if it is too long.
    var value: String
}

/// Limits of the registry.
public enum MetricLimits {
    /// Lines of samples in one exposition. 10,000 are about a megabyte, which a scrape every few seconds can bear; a label
    /// that takes its values from the stream would otherwise grow the process without end.
    public static let samples = 10_000
    /// Bytes of a name or a label's value: a label can come from the stream, where values may be megabytes.
    public static let textBytes = 256

    /// The text, cut at a character boundary if it is too long.
    static func cut(_ text: String) -> String {
        guard text.utf8.count > self.textBytes else { return text }
        var bytes = 0
        let end = text.unicodeScalars.firstIndex { scalar in
            bytes += UTF8.width(scalar)
            return bytes > self.textBytes
        }
        return String(text.unicodeScalars[..<(end ?? text.endIndex)])
    }
}
