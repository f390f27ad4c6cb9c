public import StageKit

/// An entry to feed to a stage.
public struct SampleEntry: Sendable {
    /// The entry's id; nil for the next free one: `1-0`, `2-0` and so on.
    public var id: EntryID?
    /// Its fields as the stream would hold them.
    public var fields: [(name: [UInt8], value: [UInt8])]
    /// Makes it an event of a failure branch: one that has failed for this reason.
    public var failure: StageFailure?

    /// Makes an entry of text.
    public init(_ fields: KeyValuePairs<String, String>, id: EntryID? = nil, failure: StageFailure? = nil) {
        self.init(bytes: fields.map { (Array($0.key.utf8), Array($0.value.utf8)) }, id: id, failure: failure)
    }

    /// Makes an entry of bytes.
    public init(bytes: [(name: [UInt8], value: [UInt8])], id: EntryID? = nil, failure: StageFailure? = nil) {
        self.id = id
        self.fields = bytes
        self.failure = failure
    }
}
