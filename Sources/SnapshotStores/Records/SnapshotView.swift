public import StageKit

/// A snapshot in the store, read in place: nothing is copied or allocated.
///
/// It cannot be copied and is only passed to `MemoryStore.withSnapshot`'s body, so none outlives the call.
public struct SnapshotView: ~Copyable {
    let record: PackedRecord
    let keyLength: Int

    /// Creates a view of a live record that does not change while the view exists; the known key length saves waiting
    /// for the record's own.
    @inline(__always)
    init(_ record: PackedRecord, keyLength: Int) {
        self.record = record
        self.keyLength = keyLength
    }

    /// The entry of the snapshot.
    public var entryID: EntryID { self.record.entryID }

    /// Passes the key to `body`.
    public func withKey<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
        try body(unsafe self.record.unsafeBytes(self.record.keyRange).span)
    }

    /// Passes a field's original bytes to `body`; returns `nil` if the snapshot has none.
    ///
    /// A number's text is formatted from the number if that gives the same bytes; more than 15 digits need the heap.
    public func withValue<R, E: Error>(
        of field: SnapshotField, _ body: (Span<UInt8>?) throws(E) -> R
    ) throws(E) -> R {
        guard let found = self.find(field) else { return try body(nil) }
        return try self.withBytes(of: found) { (bytes) throws(E) in try body(bytes) }
    }

    /// A field's number, or `nil` if the snapshot has none.
    public func integer(of field: SnapshotField) -> Int64? {
        self.find(field)?.integer
    }

    /// Whether a field has exactly these bytes.
    @inline(__always)
    public func value(of field: SnapshotField, equals bytes: Span<UInt8>) -> Bool {
        guard let found = self.find(field) else { return false }
        if let range = found.range { return self.record.bytes(range, equal: bytes) }
        return CanonicalInteger.prints(found.integer ?? 0, as: bytes)
    }

    /// Whether the snapshot meets a condition of its store.
    @inline(__always)
    public func meets(_ condition: SnapshotCondition) -> Bool {
        if condition.field.number == FieldNames.none { return condition.programHolds(for: self) ?? false }
        return self.value(of: condition.field, equals: condition.expected.span)
    }

    /// Whether the snapshot has the field.
    func has(_ field: SnapshotField) -> Bool { self.find(field) != nil }

    /// Calls `body` with each field's number (`MemoryStore.fieldName`) and its original bytes.
    package func forEachField(_ body: (_ number: Int, _ value: Span<UInt8>) -> Void) {
        var walk = self.record.fields(keyLength: self.keyLength)
        while let field = walk.next() {
            self.withBytes(of: field) { body(Int(field.number), $0) }
        }
    }

    /// A copy, its fields in the order of their numbers; `names` are the store's field names by number.
    func copy(names: [String]) -> Snapshot {
        var packed: [RecordField] = []
        var walk = self.record.fields(keyLength: self.keyLength)
        // The field with the record's stream is not part of the snapshot.
        while let field = walk.next() {
            if names[Int(field.number)] != FieldNames.stream { packed.append(field) }
        }
        packed.sort { $0.number < $1.number }
        let fields = packed.map { field in
            let bytes = self.withBytes(of: field) { (bytes) in [UInt8](copying: bytes) }
            return Snapshot.Field(name: names[Int(field.number)], bytes: bytes, integer: field.integer)
        }
        return Snapshot(
            entryID: self.entryID, key: self.withKey { (key) in [UInt8](copying: key) }, fields: fields)
    }

    @inline(__always)
    private func find(_ field: SnapshotField) -> RecordField? {
        var walk = self.record.fields(keyLength: self.keyLength)
        return walk.first(field.number)
    }

    private func withBytes<R, E: Error>(
        of field: RecordField, _ body: (Span<UInt8>) throws(E) -> R
    ) throws(E) -> R {
        if let range = field.range { return try body(unsafe self.record.unsafeBytes(range).span) }
        return try body(String(field.integer ?? 0).utf8.span)
    }
}
