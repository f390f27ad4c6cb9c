/// The id of an event: the id of its entry, followed by `#k` for the event of the element with the number k.
///
/// Logs, the journal, dead-letter entries and expressions use it. Stores, cursors and acknowledgements use the entry's
/// id: an entry is the unit that is read, finished and read again.
public struct EventID: Hashable, Sendable, CustomStringConvertible {
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
}

extension Event {
    /// The number of the element that the event was made of, counted from 0, or `nil` for the event of the entry
    /// itself.
    ///
    /// The events of an entry's elements have the same `id`, `orderID` and original fields as the event of the entry.
    public var element: Int? {
        let first = unsafe self.storage.pointee.firstElement
        return unsafe self.index < first ? nil : self.storage.pointee.elements[self.index - first]
    }

    /// The event's own id, for messages and logs.
    public var eventID: EventID { EventID(self.id, element: self.element) }
}
