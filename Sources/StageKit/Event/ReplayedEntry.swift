/// The format in which an entry that is replayed from a dead-letter stream names its original.
///
/// The server gives a replayed entry a new id, the newest of its stream. If stores compared by that id, an old snapshot
/// would replace a newer one. The first field of a replayed entry therefore contains the id of its original, under a
/// name that producers must not use. The source removes this field before any stage sees the entry, and uses the id as
/// the event's `orderID`. The cursor, acknowledgements, gap detection and the journal use the entry's own id.
///
/// The original's id is less than the entry's own. A client that may write to the stream can use this field to make its
/// own entries older, but never newer. If the field does not contain such an id, it is not removed, and `decode`
/// refuses the entry.
public enum ReplayedEntry {
    /// The name of the field that contains the original's id.
    public static let field = "_sluice_original"

    /// Returns whether a field has the reserved name.
    package static func isReserved(_ name: Span<UInt8>) -> Bool {
        name.count == self.field.utf8.count && name.hasSameBytes(as: self.field.utf8.span)
    }
}

extension EventBatch {
    /// Removes the original's id from every replayed entry and orders the entry by it. Called by sources once a batch
    /// is filled.
    ///
    /// If names go by position and the first entry is not a replayed one, the other entries are not checked.
    public func takeOriginals() {
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
    /// Returns the own id of an entry.
    @inlinable
    @inline(__always)
    func id(at index: Int) -> EntryID {
        unsafe self.hasReplays ? self.replayedID(at: index) : self.headers.base[index].orderID
    }

    /// Returns the own id of an entry of a batch with replayed entries.
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

    /// Orders an entry by an id other than its own. Must be called in the order of the entries' indices.
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

    /// Removes the field and orders the entry by the id in it, if that id is less than the entry's own.
    fileprivate mutating func takeOriginal(at index: Int) {
        // Since only some entries have the field, names at one position may now differ.
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
