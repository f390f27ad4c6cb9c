/// How an entry that is replayed from a dead-letter stream names its original.
///
/// The server gives a replayed entry a new id, the newest of its stream. If stores compared by that id, an old snapshot
/// would replace a newer one. A replayed entry therefore has the id of its original in its first field, whose name no
/// producer may use. The source takes the field off before any stage sees the entry, and the id in it becomes the event's
/// `orderID`. The cursor, acknowledgements, gap detection and the journal go by the entry's own id.
///
/// The original's id is below the entry's own. Whoever may write to the stream can make entries of their own older by
/// this field, never newer. If the field does not have such an id, it is left where it is, and `decode` refuses the entry.
public enum ReplayedEntry {
    /// The name of the field that has the original's id.
    public static let field = "_sluice_original"

    /// Whether a field has the reserved name.
    package static func isReserved(_ name: Span<UInt8>) -> Bool {
        name.count == self.field.utf8.count && name.hasSameBytes(as: self.field.utf8.span)
    }
}

extension EventBatch {
    /// Takes the original's id off every replayed entry and orders it by that id; for sources, once a batch is filled.
    ///
    /// If names go by position and the first entry is no replayed one, no other entry is looked at.
    package func takeOriginals() {
        if self.isEmpty { return }
        let isFirst = unsafe self.storage.pointee.beginsWithOriginal(0)
        if unsafe !isFirst && self.storage.pointee.namesGoByPosition
            && self.storage.pointee.headers.base[0].fieldCount > 0
        {
            return
        }
        for index in 0..<self.count where unsafe self.storage.pointee.beginsWithOriginal(index) {
            unsafe self.storage.pointee.takeOriginal(at: index)
        }
    }
}

extension BatchStorage {
    /// The own id of an entry.
    @inlinable
    @inline(__always)
    func id(at index: Int) -> EntryID {
        unsafe self.hasReplays ? self.replayedID(at: index) : self.headers.base[index].orderID
    }

    /// The own id of an entry of a batch with replayed entries.
    @usableFromInline
    func replayedID(at index: Int) -> EntryID {
        var (low, high) = unsafe (0, self.replays.count)
        while low < high {
            let middle = (low + high) / 2
            if unsafe self.replays[middle].index < index { low = middle + 1 } else { high = middle }
        }
        let isReplayed = unsafe low < self.replays.count && self.replays[low].index == index
        return unsafe isReplayed ? self.replays[low].id : self.headers.base[index].orderID
    }

    /// Orders an entry by another id than its own; entries are given originals in the order of their indices.
    mutating func setOriginal(_ original: EntryID, at index: Int) {
        unsafe self.replays.append((index, self.headers.base[index].orderID))
        unsafe self.headers.base[index].orderID = original
        unsafe self.hasReplays = true
    }

    fileprivate func beginsWithOriginal(_ index: Int) -> Bool {
        let header = unsafe self.headers.base[index]
        guard header.fieldCount > 0 else { return false }
        let name = unsafe self.fields.base[Int(header.firstField)].name
        guard Int(name.length) == ReplayedEntry.field.utf8.count else { return false }
        return unsafe ReplayedEntry.isReserved(self.bytes(name).span)
    }

    /// Takes the field off and orders the entry by the id in it, if that is one below the entry's own.
    fileprivate mutating func takeOriginal(at index: Int) {
        // With or without the field, names at one position may now differ.
        unsafe self.namesGoByPosition = false
        let header = unsafe self.headers.base[index]
        let value = unsafe self.fields.base[Int(header.firstField)].value
        guard let original = unsafe EntryID(utf8: self.bytes(value).span), original < header.orderID else { return }
        unsafe self.headers.base[index].firstField += 1
        unsafe self.headers.base[index].fieldCount -= 1
        unsafe self.setOriginal(original, at: index)
    }

    private func bytes(_ range: ByteRange) -> UnsafeBufferPointer<UInt8> {
        let end = Int(range.offset) + Int(range.length)
        precondition(unsafe end <= self.arena.count, "a range beyond the batch's arena")
        return unsafe UnsafeBufferPointer(start: self.arena.base + Int(range.offset), count: Int(range.length))
    }
}
