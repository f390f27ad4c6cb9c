import StageKit
import StageTestKit

/// Compares the results of a case with its expectations.
struct CaseCheck {
    /// The expectations.
    let expected: TestCase
    /// The results.
    let found: CaseObservation
    /// The messages of a run with one entry per batch, which are in stream order.
    let messages: [OutgoingMessage]

    /// Returns all differences, in the order of the case's parts.
    func failures() -> [CaseFailure] {
        self.ending() + self.outcomes() + self.stores() + self.endings() + self.sent() + self.metrics() + self.log()
    }

    private func ending() -> [CaseFailure] {
        switch (self.expected.failure, self.found.error) {
        case (nil, nil): return []
        case (nil, let error?):
            return [
                CaseFailure(
                    position: self.expected.name.position, what: "the run", expected: "ends well",
                    found: "ended by an error: \(error)")
            ]
        case (let part?, let error):
            if let error, error.contains(part.value) { return [] }
            return [
                CaseFailure(
                    position: part.position, what: "the run",
                    expected: "ended by an error with \(QuotedText.quote(part.value))",
                    found: error.map { "ended by \(QuotedText.quote($0))" } ?? "ended well")
            ]
        }
    }

    private func outcomes() -> [CaseFailure] {
        guard let expected = self.expected.outcomes else { return [] }
        let entries = self.expected.delivered
        var failures: [CaseFailure] = []
        for (index, one) in expected.value.enumerated() {
            let found = index < self.found.outcomes.count ? self.found.outcomes[index] : nil
            let id = (found?.id ?? (index < entries.count ? entries[index].id : nil)).map { " (\($0))" } ?? ""
            let what = "outcome of entry \(index + 1)\(id)"
            guard let found else {
                failures.append(
                    CaseFailure(
                        position: one.position, what: what, expected: ObservationText.outcome(one), found: "none"))
                continue
            }
            failures += self.fields(of: one, found, what)
            if !one.matches(found) {
                failures.append(
                    CaseFailure(
                        position: one.position, what: what, expected: ObservationText.outcome(one),
                        found: ObservationText.outcome(found)))
            }
        }
        if self.found.outcomes.count > expected.value.count {
            failures.append(
                CaseFailure(
                    position: expected.position, what: "number of outcomes", expected: "\(expected.value.count)",
                    found: "\(self.found.outcomes.count)"))
        }
        return failures
    }

    private func fields(
        of expected: OutcomeExpectation, _ found: ObservedOutcome, _ what: String
    ) -> [CaseFailure] {
        expected.fields.compactMap { field in
            guard found.fields[field.name] != field.value else { return nil }
            func show(_ value: [UInt8]?) -> String {
                value.map { QuotedText.quote(String(decoding: $0, as: UTF8.self)) } ?? "no value"
            }
            return CaseFailure(
                position: field.position, what: "field \(field.name) of the \(what)", expected: show(field.value),
                found: show(found.fields[field.name]))
        }
    }

    private func stores() -> [CaseFailure] {
        self.expected.stores.flatMap { store in
            StoreCheck(name: store.name, expected: store.value, found: self.found.stores[store.name] ?? []).failures()
        }
    }

    private func endings() -> [CaseFailure] {
        self.keys("revocations", self.expected.revocations, self.found.revocations)
            + self.keys("evictions", self.expected.evictions, self.found.evictions)
    }

    private func keys(_ what: String, _ expected: Located<[[UInt8]]>?, _ found: [[UInt8]]) -> [CaseFailure] {
        guard let expected, expected.value != found else { return [] }
        return [
            CaseFailure(
                position: expected.position, what: what, expected: ObservationText.keys(expected.value),
                found: ObservationText.keys(found))
        ]
    }

    private func sent() -> [CaseFailure] {
        guard let expected = self.expected.messages else { return [] }
        var failures: [CaseFailure] = []
        for (index, one) in expected.value.enumerated() {
            let found = index < self.messages.count ? self.messages[index] : nil
            if let found, one.matches(found) { continue }
            failures.append(
                CaseFailure(
                    position: one.position, what: "message \(index + 1)", expected: one.description,
                    found: found?.shown ?? "none"))
        }
        if self.messages.count > expected.value.count {
            failures.append(
                CaseFailure(
                    position: expected.position, what: "number of messages", expected: "\(expected.value.count)",
                    found: "\(self.messages.count), the first one too many: "
                        + self.messages[expected.value.count].shown))
        }
        return failures
    }

    private func metrics() -> [CaseFailure] {
        self.expected.metrics.compactMap { metric in
            guard let selector = MetricSelector(metric.name) else { return nil }
            let found = selector.sum(of: self.found.series)
            guard found != metric.value else { return nil }
            return CaseFailure(
                position: metric.position, what: "metric \(metric.name)", expected: ObservedSeries.show(metric.value),
                found: ObservedSeries.show(found) + self.explain(selector))
        }
    }

    /// Returns the series with this name, or a suggestion for the name.
    private func explain(_ selector: MetricSelector) -> String {
        let same = self.found.series.filter { $0.name == selector.name }
        guard same.isEmpty else {
            return " (there is \(same.map { "\($0.title) \(ObservedSeries.show($0.value))" }.joined(separator: ", ")))"
        }
        let near = Nearest.name(to: selector.name, among: Set(self.found.series.map(\.name)).sorted())
        return " (no such metric" + (near.map { "; did you mean \($0)?" } ?? "") + ")"
    }

    private func log() -> [CaseFailure] {
        guard let expected = self.expected.log else { return [] }
        var failures: [CaseFailure] = []
        for (index, line) in expected.value.enumerated() {
            let found = index < self.found.log.count ? self.found.log[index] : nil
            if let found, line.matches(found) { continue }
            failures.append(
                CaseFailure(
                    position: line.position, what: "line \(index + 1) of the log", expected: line.text,
                    found: found?.text ?? "none"))
        }
        if self.found.log.count > expected.value.count {
            let extra = self.found.log[expected.value.count].text
            failures.append(
                CaseFailure(
                    position: expected.position, what: "number of lines in the log",
                    expected: "\(expected.value.count)",
                    found: "\(self.found.log.count), the first one too many: \(extra)"))
        }
        return failures
    }
}

extension OutcomeExpectation {
    /// Whether every given member equals that of the outcome.
    func matches(_ found: ObservedOutcome) -> Bool {
        self.matchesItself(found) && self.elementsMatch(found.elements)
    }

    private func matchesItself(_ found: ObservedOutcome) -> Bool {
        (self.outcome == nil || self.outcome == found.outcome)
            && (self.reason == nil || self.reason == found.reason ?? "")
            && (self.stage == nil || self.stage?.text == found.stage)
            && (self.error == nil || self.error == found.error ?? "")
            && (self.effects == nil || self.effects == found.effects)
    }

    private func elementsMatch(_ found: [ObservedOutcome]) -> Bool {
        guard let expected = self.elements else { return true }
        return expected.count == found.count && zip(expected, found).allSatisfy { $0.matches($1) }
    }
}

extension LogExpectation {
    /// Whether every given member equals that of the line.
    func matches(_ line: RecordingLog.Line) -> Bool {
        (self.level == nil || self.level == line.level) && (self.message == nil || self.message == line.message)
            && self.values.allSatisfy { line.metadata[$0.name] == $0.value }
    }

    /// The line as text for people.
    var text: String {
        RecordingLog.Line(
            level: self.level ?? "any level", message: self.message ?? "anything",
            metadata: Dictionary(self.values.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last })
        ).text
    }
}

extension RecordingLog.Line {
    /// `warning "dropped session event" entry="1-0" reason="malformed_event"`.
    var text: String {
        let values = self.metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\(QuotedText.quote($0.value))" }
        return "\(self.level) \(QuotedText.quote(self.message))\(values.joined())"
    }
}
