public import StageKit

/// A stage's result for one event, with names instead of numbers.
public struct EventReport: Sendable, Equatable {
    /// How the call ended.
    public enum Ending: Sendable, Equatable {
        /// The event continues.
        case next
        /// The event is finished; the reason is empty if none was given.
        case finished(Outcome, reason: String)
        /// The event goes to the start of a branch.
        case sent(to: String)
        /// The event waits for `complete`, which has not been called yet.
        case waiting
        /// Events for the elements of the event continue in its place, except those that failed.
        case expanded([EventReport])
        /// The stage threw. The reason and the stage are set as by the engine.
        case failed(StageFailure)
    }

    /// An outcome that the stage set without finishing the event.
    public struct Settled: Sendable, Equatable {
        /// The outcome.
        public var outcome: Outcome
        /// The reason; empty if none was given.
        public var reason: String

        /// Creates an outcome to compare with.
        public init(_ outcome: Outcome, reason: String = "") {
            self.outcome = outcome
            self.reason = reason
        }
    }

    /// A field's value.
    public struct Value: Sendable, Equatable {
        /// The bytes of the value, unchanged.
        public var bytes: [UInt8]
        /// The number, if the value was decoded as an int64.
        public var integer: Int64?
        /// The typed value, if the value was decoded as a type other than text and int64.
        public var typed: TypedValue?
    }

    /// The entry's id.
    public var id: EntryID
    /// How the call ended.
    public var ending: Ending
    /// The effects, by name and in order.
    public var effects: [String]
    /// The outcome that the stage set without finishing the event, or `nil` if there is none.
    public var settled: Settled?
    /// The values that the event has now, by field.
    public var values: [String: Value]

    /// The failure's message, or `nil` if there was none.
    public var failureMessage: String? { self.failure?.message }

    /// The failure, or `nil` if there was none.
    public var failure: StageFailure? {
        if case .failed(let failure) = self.ending { failure } else { nil }
    }

    /// The events for the elements of the event, in order, or `nil` if the stage has not expanded it.
    public var elements: [EventReport]? {
        if case .expanded(let elements) = self.ending { elements } else { nil }
    }

    /// Returns a field's value as text, or `nil` if it has none.
    public func text(_ field: String) -> String? {
        self.values[field].map { String(decoding: $0.bytes, as: UTF8.self) }
    }
}
