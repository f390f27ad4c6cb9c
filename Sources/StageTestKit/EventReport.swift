public import StageKit

/// A stage's result for one event, with names instead of numbers.
public struct EventReport: Sendable, Equatable {
    /// How the call ended.
    public enum Ending: Sendable, Equatable {
        /// The event continues.
        case next
        /// The event is finished here; the reason is empty if none was given.
        case finished(Outcome, reason: String)
        /// The event goes to the start of a branch.
        case sent(to: String)
        /// The event waits for `complete`, which has not been called.
        case waiting
        /// The stage threw; reason and stage are filled in as the engine does it.
        case failed(StageFailure)
    }

    /// An outcome the stage settled on without ending the event's way.
    public struct Settled: Sendable, Equatable {
        /// The outcome.
        public var outcome: Outcome
        /// Its reason, empty if none was given.
        public var reason: String

        /// Makes one, to compare with.
        public init(_ outcome: Outcome, reason: String = "") {
            self.outcome = outcome
            self.reason = reason
        }
    }

    /// A field's value.
    public struct Value: Sendable, Equatable {
        /// The bytes as they came.
        public var bytes: [UInt8]
        /// The number, if the value is one.
        public var integer: Int64?
    }

    /// The entry's id.
    public var id: EntryID
    /// How the call ended.
    public var ending: Ending
    /// The effects, by name and in order.
    public var effects: [String]
    /// The outcome that the stage settled, or `nil` if it did not.
    public var settled: Settled?
    /// The values the event has now, by field.
    public var values: [String: Value]

    /// The failure's message, or `nil` if there was none.
    public var failureMessage: String? { self.failure?.message }

    /// The failure, or `nil` if there was none.
    public var failure: StageFailure? {
        if case .failed(let failure) = self.ending { failure } else { nil }
    }

    /// A field's value as text, or `nil` if it has none.
    public func text(_ field: String) -> String? {
        self.values[field].map { String(decoding: $0.bytes, as: UTF8.self) }
    }
}
