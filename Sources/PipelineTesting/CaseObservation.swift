import StageKit
import StageTestKit

/// The results of a case's entries.
struct CaseObservation: Sendable {
    /// The outcome of each entry, in order.
    var outcomes: [ObservedOutcome] = []
    /// The content of the stores by name, sorted by key.
    var stores: [String: [Snapshot]] = [:]
    /// The keys that were revoked, in order.
    var revocations: [[UInt8]] = []
    /// The keys that were evicted, in order.
    var evictions: [[UInt8]] = []
    /// The messages that stages have sent. Of a batch with several entries, those of one stage after the other.
    var messages: [OutgoingMessage] = []
    /// All metrics.
    var series: [ObservedSeries] = []
    /// The log lines of level info and above.
    var log: [RecordingLog.Line] = []
    /// The error that ended the run, or `nil` if it succeeded.
    var error: String?
}

/// The outcome of one entry.
struct ObservedOutcome: Sendable, Equatable {
    /// The entry.
    var id: EntryID
    /// The outcome.
    var outcome: Outcome
    /// The reason, or `nil` if there is none.
    var reason: String?
    /// The stage that failed, or `nil` if none did.
    var stage: String?
    /// The error, or `nil` if there was none.
    var error: String?
    /// The effects, in order.
    var effects: [String]
    /// The values that the event has at its end, by field.
    var fields: [String: [UInt8]] = [:]
    /// The outcomes of the entry's elements, in order; empty if no stage has expanded it.
    var elements: [ObservedOutcome] = []
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

    /// The series as shown at `/metrics`: `events_total{status="active"}`.
    var title: String {
        guard !self.labels.isEmpty else { return self.name }
        let labels = self.labels.map { "\($0.name)=\(QuotedText.quote($0.value))" }
        return "\(self.name){\(labels.joined(separator: ","))}"
    }

    /// Returns the value as shown at `/metrics`.
    static func show(_ value: Double) -> String {
        Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
