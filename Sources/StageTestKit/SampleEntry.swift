public import StageKit

/// An entry to pass to a stage.
public struct SampleEntry: Sendable {
    /// The entry's id, or `nil` for the next free one: `1-0`, `2-0` and so on.
    public var id: EntryID?
    /// The fields as in the stream.
    public var fields: [(name: [UInt8], value: [UInt8])]
    /// The failure that makes it an event of a failure branch, or `nil` for an event that has not failed.
    public var failure: StageFailure?

    /// Creates an entry from text.
    public init(_ fields: KeyValuePairs<String, String>, id: EntryID? = nil, failure: StageFailure? = nil) {
        self.init(bytes: fields.map { (Array($0.key.utf8), Array($0.value.utf8)) }, id: id, failure: failure)
    }

    /// Creates an entry from bytes.
    public init(bytes: [(name: [UInt8], value: [UInt8])], id: EntryID? = nil, failure: StageFailure? = nil) {
        self.id = id
        self.fields = bytes
        self.failure = failure
    }
}
