public import StageKit

/// Ends a run if a stage failed on an entry and its `on_failure` is `halt`; the cursor stays before the entry's batch.
public struct PipelineHalt: Error, Sendable, Equatable, CustomStringConvertible {
    /// The entry.
    public var entry: EntryID
    /// The stage, by its name in the graph.
    public var stage: String
    /// The error.
    public var message: String
    /// Attempts of the stage on the entry.
    public var attempts: Int
    /// The number of the element that the stage failed on, or `nil` if it failed on the event of the entry itself.
    public var element: Int?

    /// A one-line message for the operator.
    public var description: String {
        let tries = self.attempts == 1 ? "" : " after \(self.attempts) attempts"
        let event = EventID(self.entry, element: self.element)
        return "halted by the stage \"\(self.stage)\" at entry \(event)\(tries): \(self.message)"
    }
}
