import StageKit
import StageTestKit

/// Everything that came of a case's entries.
struct CaseObservation: Sendable {
    /// What became of each entry, in order.
    var outcomes: [ObservedOutcome] = []
    /// What stores hold, by name, in the order of the keys.
    var stores: [String: [Snapshot]] = [:]
    /// The keys that were revoked, in order.
    var revocations: [[UInt8]] = []
    /// The keys that were evicted, in order.
    var evictions: [[UInt8]] = []
    /// What was counted and measured.
    var series: [ObservedSeries] = []
    /// What was logged from level info on.
    var log: [RecordingLog.Line] = []
    /// The error that ended the run, nil where it ended well.
    var error: String?
}

/// What became of one entry.
struct ObservedOutcome: Sendable, Equatable {
    /// The entry.
    var id: EntryID
    /// The outcome.
    var outcome: Outcome
    /// The reason, nil where there is none.
    var reason: String?
    /// The stage that failed, nil where none did.
    var stage: String?
    /// What was wrong, nil where nothing was.
    var error: String?
    /// What was done, in order.
    var effects: [String]
}

/// One series of `/metrics` with its value.
struct ObservedSeries: Sendable, Equatable {
    /// A label.
    struct Label: Sendable, Equatable {
        /// Its name.
        var name: String
        /// Its value.
        var value: String
    }

    /// The family's name.
    var name: String
    /// The labels, by name.
    var labels: [Label]
    /// The value.
    var value: Double

    /// The series as `/metrics` shows it: `events_total{status="active"}`.
    var title: String {
        guard !self.labels.isEmpty else { return self.name }
        let labels = self.labels.map { "\($0.name)=\(QuotedText.quote($0.value))" }
        return "\(self.name){\(labels.joined(separator: ","))}"
    }

    /// The value as `/metrics` shows it.
    static func show(_ value: Double) -> String {
        Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
