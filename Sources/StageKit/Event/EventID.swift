/// The id of an event: the id of its entry, followed by `#k` for the event of the element with the number k.
///
/// Logs, the journal, dead-letter entries and expressions use it. Stores, cursors and acknowledgements use the entry's
/// id: an entry is the unit that is read, finished and read again. A stage that has to recognise events that it has
/// seen before (`StatefulStage`) compares these ids, which ascend in the order of the stream.
public struct EventID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The id of the entry.
    public var entry: EntryID
    /// The number of the element, counted from 0, or `nil` for the event of the entry itself.
    public var element: Int?

    /// Creates an id.
    public init(_ entry: EntryID, element: Int? = nil) {
        self.entry = entry
        self.element = element
    }

    /// `1700000000000-0`, or `1700000000000-0#2` for the third element.
    public var description: String {
        self.element.map { "\(self.entry)#\($0)" } ?? self.entry.description
    }

    /// Orders by the entries, and events of one entry by their elements; the event of the entry itself comes first.
    public static func < (left: EventID, right: EventID) -> Bool {
        if left.entry != right.entry { return left.entry < right.entry }
        return (left.element ?? -1) < (right.element ?? -1)
    }
}

extension Event {
    /// The number of the element that the event was made of, counted from 0, or `nil` for the event of the entry
    /// itself.
    ///
    /// The events of an entry's elements have the same `id`, `orderID` and original fields as the event of the entry.
    public var element: Int? { unsafe self.storage.pointee.element(at: self.index) }

    /// The event's own id, for messages and logs.
    public var eventID: EventID { EventID(self.id, element: self.element) }
}
