import Admin

/// Selects series: `events_total` all with that name, `events_total{status=active}` those with that label.
struct MetricSelector {
    /// The family's name as shown at `/metrics`.
    let name: String
    /// The labels that a series must have; it may have others.
    let labels: [(name: String, value: String)]

    /// Reads a selector; returns `nil` if it has another form. Quotes around values are optional.
    init?(_ text: String) {
        let name = text.prefix { $0 != "{" }
        let isName = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
        guard !name.isEmpty, isName else { return nil }
        self.name = String(name)
        let rest = text.dropFirst(name.count)
        if rest.isEmpty {
            self.labels = []
            return
        }
        guard rest.last == "}" else { return nil }
        var labels: [(name: String, value: String)] = []
        for label in rest.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false) {
            guard let equals = label.firstIndex(of: "=") else { return nil }
            var value = label[label.index(after: equals)...]
            if value.count >= 2, value.first == "\"", value.last == "\"" { value = value.dropFirst().dropLast() }
            let name = label[..<equals].filter { $0 != " " }
            guard !name.isEmpty else { return nil }
            labels.append((name, String(value)))
        }
        self.labels = labels
    }

    /// Returns the sum of the selected series; 0 if there is none, because a counter without increments does not exist.
    func sum(of series: [ObservedSeries]) -> Double {
        series.filter(self.matches).reduce(0) { $0 + $1.value }
    }

    private func matches(_ series: ObservedSeries) -> Bool {
        series.name == self.name
            && self.labels.allSatisfy { label in
                series.labels.contains { $0.name == label.name && $0.value == label.value }
            }
    }
}
