import StageKit

/// The record of one event, packed before the store has memory for it, so that its size is known, nothing is computed
/// twice, and the store's memory is written in one go.
///
/// It is reused for the next event, by one thread at a time and without nested calls, so the compiler need not check
/// each access of the buffer.
@safe
final class RecordDraft {
    /// The maximum length of values that are packed before all longer ones: a status and a number are shorter, a public
    /// key is longer. The fields that lookups need are thus next to the key, on the record's first cache lines.
    private static let shortLength: UInt32 = 24
    /// The size of the field with the number of the record's stream, if several streams feed the store.
    private static let streamSize = 3

    private let columns: RecordColumns
    /// The maximum size of a record without its key and its texts.
    private let overhead: Int
    private var questions: EventMarks
    @exclusivity(unchecked) private var buffer: RecordBuffer
    /// The size of the record in bytes; above the limit no record can be written.
    private(set) var size = 0

    /// Creates a draft for records with these columns, of up to `limit` bytes.
    init(_ columns: RecordColumns, limit: Int) {
        self.columns = columns
        self.overhead =
            unsafe PackedRecord.headerSize + RecordPen.maximumCode + Self.streamSize + columns.fields.count
            * RecordPen.fieldOverhead
        self.questions = MarkedConditions().questions(columns)
        // The capacity is reserved by an upper bound, in which the key is counted twice.
        unsafe self.buffer = RecordBuffer(limit: 2 * limit + self.overhead)
    }

    deinit {
        unsafe self.buffer.free()
    }

    /// Packs an event's record and marks it with the conditions that it meets.
    ///
    /// `streamField` is the number of the field that contains the record's stream, or `nil` if one stream feeds the
    /// store.
    func read(
        _ event: borrowing Event, key: Span<UInt8>, _ conditions: borrowing MarkedConditions, streamField: UInt8?
    ) {
        if conditions.list.count != self.questions.conditions { self.questions = conditions.questions(self.columns) }
        if self.pack(event, key, streamField) { return }
        self.readLong(event, key, streamField)
    }

    /// Packs a record that did not fit the buffer so far.
    @inline(never)
    private func readLong(_ event: borrowing Event, _ key: Span<UInt8>, _ streamField: UInt8?) {
        let texts = self.columns.fields.reduce(0) { $0 + Int(event.range(of: $1.field)?.length ?? 0) }
        guard unsafe self.buffer.reserve(self.overhead + key.count + texts) else {
            return self.size = self.longSize(event, keyLength: key.count)
        }
        let isPacked = self.pack(event, key, streamField)
        precondition(isPacked, "a record has no more bytes than its parts may have at most")
    }

    /// Packs the trace of an eviction by an entry of a stream.
    func readTrace(of entry: EntryID, stream: Int, key: Span<UInt8>) {
        guard unsafe self.buffer.reserve(self.overhead + key.count) else { return self.size = key.count }
        var pen = unsafe self.buffer.pen
        unsafe pen.write(entry.milliseconds, entry.sequence, fields: PackedRecord.traceMark, marks: UInt8(stream))
        unsafe Self.write(key, &pen)
        self.size = unsafe self.buffer.end(pen)
    }

    /// Writes the record of `size` bytes.
    @inline(__always)
    func store(in words: SharedWords) {
        unsafe words.store(self.buffer.padded)
    }

    /// Passes the record of `size` bytes to `body`.
    func withRecord<R, E: Error>(_ body: (PackedRecord) throws(E) -> R) throws(E) -> R {
        // A buffer has memory from the start.
        try body(unsafe PackedRecord(self.buffer.padded.baseAddress.unsafelyUnwrapped))
    }

    /// Packs an event's record; returns `false` if the buffer is too small.
    @inline(__always)
    private func pack(_ event: borrowing Event, _ key: Span<UInt8>, _ streamField: UInt8?) -> Bool {
        var pen = unsafe self.buffer.pen
        let head = unsafe PackedRecord.headerSize &+ RecordPen.maximumCode &+ Self.streamSize &+ key.count
        guard unsafe pen.hasRoom(head) else { return false }
        let (id, marks) = (event.orderID, self.questions.marks(of: event))
        unsafe pen.write(id.milliseconds, id.sequence, fields: 0, marks: marks)
        unsafe Self.write(key, &pen)
        let columns = self.columns.fields
        // The columns of long values are between these.
        var (count, firstLong, lastLong) = (UInt8(0), columns.count, -1)
        if let streamField {
            unsafe pen.write(byte: streamField)
            unsafe pen.write(code: 1 &<< 2 | 1)
            unsafe pen.write(byte: UInt8(event.streamIndex))
            count = 1
        }
        for index in columns.indices {
            guard let value = event.value(of: columns[index].field) else { continue }
            count &+= 1
            if value.range.length > Self.shortLength {
                (firstLong, lastLong) = (min(firstLong, index), index)
            } else {
                guard unsafe self.write(event, columns[index], value, &pen) else { return false }
            }
        }
        if firstLong <= lastLong {
            for column in columns[firstLong...lastLong] {
                guard let value = event.value(of: column.field), value.range.length > Self.shortLength else { continue }
                guard unsafe self.write(event, column, value, &pen) else { return false }
            }
        }
        self.size = unsafe self.buffer.end(pen)
        unsafe self.buffer.setFields(count)
        return true
    }

    /// The size of a record that is too long to be packed.
    private func longSize(_ event: borrowing Event, keyLength: Int) -> Int {
        self.columns.fields.reduce(PackedRecord.headerSize + PackedRecord.size(ofCode: keyLength) + keyLength) {
            guard let range = event.range(of: $1.field) else { return $0 }
            let length = $1.field == self.columns.key ? 0 : Int(range.length)
            let integer = event.integer(of: $1.field) == nil ? 0 : 8
            return $0 + 1 + PackedRecord.size(ofCode: length << 2) + integer + length
        }
    }

    @inline(__always)
    private static func write(_ key: Span<UInt8>, _ pen: inout RecordPen) {
        unsafe pen.write(code: key.count)
        unsafe key.withUnsafeBufferPointer { unsafe pen.write($0) }
    }

    /// Writes a field; returns `false` if the buffer is too small.
    @inline(__always)
    private func write(
        _ event: borrowing Event, _ column: RecordColumns.Column, _ value: (range: ByteRange, integer: Int64?),
        _ pen: inout RecordPen
    ) -> Bool {
        let text = unsafe event.unsafeBytes(value.range)
        guard unsafe pen.hasRoom(RecordPen.fieldOverhead &+ text.count) else { return false }
        unsafe pen.write(byte: column.number)
        guard let integer = value.integer else {
            let isKey = column.field == self.columns.key
            unsafe pen.write(code: isKey ? 0 : text.count &<< 2 | 1)
            if !isKey { unsafe pen.write(text) }
            return true
        }
        unsafe self.write(integer, text, isKey: column.field == self.columns.key, &pen)
        return true
    }

    /// Writes a number, with its text unless the number's decimal form is the same.
    private func write(
        _ integer: Int64, _ text: UnsafeBufferPointer<UInt8>, isKey: Bool, _ pen: inout RecordPen
    ) {
        let isCanonical = isKey || CanonicalInteger.prints(integer, as: unsafe text.span)
        unsafe pen.write(code: isKey ? 1 << 2 : isCanonical ? 2 : text.count &<< 2 | 3)
        unsafe pen.write(integer: integer)
        if !isCanonical { unsafe pen.write(text) }
    }
}
