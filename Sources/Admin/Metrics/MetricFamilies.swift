/// The registry's metric families: their series, names and number of lines.
///
/// A value type; the registry guards it with a lock.
struct MetricFamilies {
    /// A series of one kind.
    enum Series {
        /// A counter.
        case counter(CounterSeries)
        /// A gauge.
        case gauge(GaugeSeries)
        /// A histogram.
        case histogram(HistogramSeries)
    }

    private struct Family {
        var kind: MetricKind
        var label: String
        var series: [[MetricLabel]: Series] = [:]
    }

    /// Maximum number of lines.
    let limit: Int
    /// Number of lines of the existing series.
    private(set) var lines = 0
    /// Number of series that were refused.
    private(set) var refused = 0
    private var families: [String: Family] = [:]
    private var help: [String: String] = [:]
    private var taken: [String: String] = [:]

    /// Creates an empty set of families.
    init(limit: Int) {
        self.limit = limit
    }

    /// Sets the help text of a family; `name` includes its suffix.
    mutating func describe(_ name: String, help: String) {
        self.help[name] = help
    }

    /// Returns the series with these labels, created by `make` if necessary, or `nil` if the limit is reached.
    ///
    /// If another kind uses the name, the kind is appended to it, so that no name has two types.
    mutating func series(
        _ label: String, _ kind: MetricKind, _ dimensions: [(String, String)], lines: Int, make: () -> Series
    ) -> Series? {
        let labels = MetricName.labels(dimensions, kind: kind)
        var name = MetricName.family(label, kind: kind)
        if !self.isFree(name, for: kind) { name = MetricName.family("\(label)_\(kind.rawValue)", kind: kind) }
        guard self.isFree(name, for: kind) else { return self.refuse() }
        if let known = self.families[name]?.series[labels] { return known }
        guard self.lines + lines <= self.limit else { return self.refuse() }
        let made = make()
        for written in MetricFamilies.writtenNames(name, kind) { self.taken[written] = name }
        self.families[name, default: Family(kind: kind, label: label)].series[labels] = made
        self.lines += lines
        return made
    }

    /// Returns the current values of all series.
    func read() -> [String: MetricText.Family] {
        var read: [String: MetricText.Family] = [:]
        for (name, family) in self.families {
            let help = self.help[name] ?? "The \(family.kind.rawValue) \"\(family.label)\"."
            let series = family.series.mapValues { series -> MetricText.Value in
                switch series {
                case .counter(let counter): return .number(counter.text)
                case .gauge(let gauge): return .number(gauge.text)
                case .histogram(let histogram):
                    let (bounds, counts, sum) = histogram.read()
                    return .histogram(bounds: bounds, counts: counts, sum: sum)
                }
            }
            read[name] = MetricText.Family(kind: family.kind, help: help, series: series)
        }
        return read
    }

    private mutating func refuse() -> Series? {
        self.refused += 1
        return nil
    }

    private func isFree(_ name: String, for kind: MetricKind) -> Bool {
        if let family = self.families[name] { return family.kind == kind }
        return MetricFamilies.writtenNames(name, kind).allSatisfy { self.taken[$0] == nil }
    }

    private static func writtenNames(_ name: String, _ kind: MetricKind) -> [String] {
        kind == .histogram ? [name, "\(name)_bucket", "\(name)_sum", "\(name)_count"] : [name]
    }
}
