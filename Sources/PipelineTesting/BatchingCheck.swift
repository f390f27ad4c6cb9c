import PipelineEngine
import StageKit
import StageTestKit

/// Compares the results of all entries as one batch with the results one by one. The engine guarantees that both are
/// equal; this check finds stages that violate this.
struct BatchingCheck {
    /// The results of all entries as one batch.
    let whole: CaseObservation
    /// The results with one batch per entry.
    let single: CaseObservation
    /// The position of the case.
    let position: SettingPosition

    /// Returns all differences.
    func failures() -> [CaseFailure] {
        var failures: [CaseFailure] = []
        let count = max(self.whole.outcomes.count, self.single.outcomes.count)
        for index in 0..<count {
            let one = index < self.single.outcomes.count ? self.single.outcomes[index] : nil
            let other = index < self.whole.outcomes.count ? self.whole.outcomes[index] : nil
            let id = (one ?? other).map { " (\($0.id))" } ?? ""
            self.add(
                "outcome of entry \(index + 1)\(id)", one, other, { $0.map(ObservationText.outcome) ?? "none" },
                to: &failures)
        }
        for name in Set(self.whole.stores.keys).union(self.single.stores.keys).sorted() {
            self.add("store \(name)", self.single.stores[name], self.whole.stores[name], Self.show, to: &failures)
        }
        self.add(
            "revocations", self.single.revocations, self.whole.revocations, ObservationText.keys, to: &failures)
        self.add("evictions", self.single.evictions, self.whole.evictions, ObservationText.keys, to: &failures)
        // A run that ends with an error may have sent messages of the batch that it gave up.
        if self.single.error == nil, self.whole.error == nil { self.addMessages(to: &failures) }
        self.add("log", Self.lines(self.single), Self.lines(self.whole), { "\($0)" }, to: &failures)
        let (one, other) = (Self.lasting(self.single), Self.lasting(self.whole))
        self.add(
            "metrics", one.filter { !other.contains($0) }, other.filter { !one.contains($0) }, { "\($0)" },
            to: &failures)
        self.add("the run's error", self.single.error, self.whole.error, { $0 ?? "none" }, to: &failures)
        return failures
    }

    /// Compares the messages regardless of their order: a batch of several entries has those of one stage after the other.
    private func addMessages(to failures: inout [CaseFailure]) {
        let (one, other) = (self.single.messages.map(\.shown), self.whole.messages.map(\.shown))
        let (names, otherNames) = (Set(one), Set(other))
        self.add(
            "messages", one.filter { !otherNames.contains($0) }, other.filter { !names.contains($0) }, { "\($0)" },
            to: &failures)
        self.add("number of messages", one.count, other.count, { "\($0)" }, to: &failures)
    }

    private func add<Value: Equatable>(
        _ what: String, _ single: Value, _ whole: Value, _ show: (Value) -> String, to failures: inout [CaseFailure]
    ) {
        guard single != whole else { return }
        failures.append(
            CaseFailure(
                position: self.position, what: "\(what) differs with the batch size",
                expected: "one by one: \(show(single))",
                found: "as one batch: \(show(whole))"))
    }

    /// Returns the lines sorted, without those about retries. After a waiting stage, and between lanes, the order of
    /// the lines of several entries depends on timing, and a retry is logged once for all failed entries.
    private static func lines(_ observation: CaseObservation) -> [String] {
        observation.log.filter { $0.message != RetryNotice.message }.map(\.text).sorted()
    }

    /// Returns the series that do not measure time, because times differ between runs.
    private static func lasting(_ observation: CaseObservation) -> [String] {
        observation.series.filter { !$0.name.contains("_seconds") }.map {
            "\($0.title) \(ObservedSeries.show($0.value))"
        }
    }

    private static func show(_ snapshots: [Snapshot]?) -> String {
        let shown = (snapshots ?? []).map {
            "\(TestBytes.show($0.key)) of entry \($0.entryID) \(ObservationText.fields($0))"
        }
        return "[\(shown.joined(separator: ", "))]"
    }
}
