import StageKit

/// A difference between the result and the expectation of a case.
package struct CaseFailure: Sendable, Equatable {
    /// The position of the expectation.
    var position: SettingPosition
    /// The subject: `outcome of entry 2 (2-0)`.
    var what: String
    /// The expected value.
    var expected: String
    /// The actual value.
    var found: String
}

/// A case's name with its failures, and the duration of both runs.
package struct CaseResult: Sendable {
    /// The name.
    var name: String
    /// The position of the name.
    var position: SettingPosition
    /// The failures, empty if the case passed.
    var failures: [CaseFailure]
    /// The duration.
    var duration: Duration
}

/// Formats values of an observation for people.
enum ObservationText {
    /// `evicted, reason malformed_event, stage decode, effects [evict], error "missing id"`.
    static func outcome(_ observed: ObservedOutcome) -> String {
        let elements = observed.elements.map { self.outcome($0) }
        return self.outcome(
            observed.outcome, observed.reason.map { $0 }, observed.stage, observed.effects, observed.error,
            elements.isEmpty ? nil : elements)
    }

    /// Returns the expected members, in the same form.
    static func outcome(_ expected: OutcomeExpectation) -> String {
        self.outcome(
            expected.outcome, expected.reason, expected.stage?.text, expected.effects, expected.error,
            expected.elements.map { $0.map { self.outcome($0) } })
    }

    private static func outcome(
        _ outcome: Outcome?, _ reason: String?, _ stage: String?, _ effects: [String]?, _ error: String?,
        _ elements: [String]?
    ) -> String {
        var parts = outcome.map { [$0.name] } ?? []
        if let reason { parts.append(reason.isEmpty ? "no reason" : "reason \(reason)") }
        if let stage { parts.append("stage \(stage)") }
        if let effects { parts.append(effects.isEmpty ? "no effects" : "effects [\(effects.joined(separator: ", "))]") }
        if let error { parts.append(error.isEmpty ? "no error" : "error \(QuotedText.quote(error))") }
        if let elements {
            let shown = elements.prefix(self.shownLimit).map { "{ \($0) }" }.joined(separator: ", ")
            let rest = elements.count - self.shownLimit
            parts.append("elements [\(shown)\(rest > 0 ? ", and \(rest) more" : "")]")
        }
        return parts.joined(separator: ", ")
    }

    /// Returns `{ status: "active", user_id: "u-1" }`, in the given order.
    static func fields(_ fields: [(name: String, bytes: [UInt8]?)]) -> String {
        guard !fields.isEmpty else { return "{}" }
        let all = fields.map { "\($0.name): \($0.bytes.map(TestBytes.show) ?? "not there")" }
        return "{ \(all.joined(separator: ", ")) }"
    }

    /// Returns a snapshot's fields.
    static func fields(_ snapshot: Snapshot) -> String {
        self.fields(snapshot.fields.map { ($0.name, $0.bytes) })
    }

    /// Returns keys in brackets; of many, the first ones and the number of the others.
    static func keys(_ keys: [[UInt8]]) -> String {
        let shown = keys.prefix(self.shownLimit).map(TestBytes.show).joined(separator: ", ")
        let rest = keys.count - self.shownLimit
        return "[\(shown)\(rest > 0 ? ", and \(rest) more" : "")]"
    }

    /// Maximum number of keys, or of elements, shown of a list.
    private static let shownLimit = 20
}
