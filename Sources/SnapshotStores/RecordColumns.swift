import StageKit

/// How a writer's events become records: the columns to keep and the numbers of their names.
struct RecordColumns: Sendable {
    /// A column that is kept.
    struct Column: Sendable {
        /// The column in the event.
        let field: FieldID
        /// The number of its name in the store.
        let number: UInt8
    }

    /// The column of the key.
    let key: FieldID
    /// The columns kept, in the order of a snapshot's fields; at most `FieldNames.limit - 1`.
    let fields: [Column]

    /// Up to this many bytes a value is packed before all longer ones: a status and a number are shorter, a public key is
    /// not.
    private static let shortLength = 24

    /// Bytes of the packed record of an event.
    func size(of event: borrowing Event, keyLength: Int) -> Int {
        var size = PackedRecord.headerSize + RecordCursor.size(ofCode: keyLength) + keyLength
        for column in self.fields {
            guard let form = RecordColumns.form(of: column.field, in: event, key: self.key) else { continue }
            let text = form.hasText ? form.length : 0
            size += 1 + RecordCursor.size(ofCode: form.code) + (form.integer == nil ? 0 : 8) + text
        }
        return size
    }

    /// Writes the packed record of an event, `size(of:keyLength:)` bytes.
    func write(_ event: borrowing Event, key: Span<UInt8>, to cursor: RecordCursor) {
        var cursor = cursor
        cursor.append(event.id.milliseconds)
        cursor.append(event.id.sequence)
        cursor.append(self.presentFields(of: event))
        cursor.append(code: key.count)
        cursor.append(key)
        // Short values, which are what look-ups ask for, come next to the key, on the record's first cache lines.
        for wantsShort in [true, false] {
            for column in self.fields {
                guard let range = event.range(of: column.field),
                    (Int(range.length) <= RecordColumns.shortLength) == wantsShort
                else { continue }
                guard let form = RecordColumns.form(of: column.field, in: event, key: self.key) else { continue }
                cursor.append(column.number)
                cursor.append(code: form.code)
                if let integer = form.integer { cursor.append(integer) }
                if form.hasText { event.withBytes(form.range) { cursor.append($0) } }
            }
        }
    }

    /// Bytes of the trace that an eviction leaves.
    static func traceSize(keyLength: Int) -> Int {
        PackedRecord.headerSize + RecordCursor.size(ofCode: keyLength) + keyLength
    }

    /// Writes the trace of an eviction, `traceSize` bytes.
    static func writeTrace(of entry: EntryID, key: Span<UInt8>, to cursor: RecordCursor) {
        var cursor = cursor
        cursor.append(entry.milliseconds)
        cursor.append(entry.sequence)
        cursor.append(PackedRecord.traceMark)
        cursor.append(code: key.count)
        cursor.append(key)
    }

    private func presentFields(of event: borrowing Event) -> UInt8 {
        var count: UInt8 = 0
        for column in self.fields where event.range(of: column.field) != nil { count += 1 }
        return count
    }

    /// How a value is packed: see `PackedRecord`.
    private struct Form {
        let kind: Int
        let length: Int
        let range: ByteRange
        let integer: Int64?
        var hasText: Bool { self.kind & 1 == 1 }
        var code: Int { self.length &<< 2 | self.kind }
    }

    @inline(__always)
    private static func form(of field: FieldID, in event: borrowing Event, key: FieldID) -> Form? {
        guard let range = event.range(of: field) else { return nil }
        let integer = event.integer(of: field)
        if field == key { return Form(kind: 0, length: integer == nil ? 0 : 1, range: range, integer: integer) }
        guard let integer else { return Form(kind: 1, length: Int(range.length), range: range, integer: nil) }
        let isCanonical = event.withBytes(range) { CanonicalInteger.prints(integer, as: $0) }
        return isCanonical
            ? Form(kind: 2, length: 0, range: range, integer: integer)
            : Form(kind: 3, length: Int(range.length), range: range, integer: integer)
    }
}

/// The one form in which Swift prints an integer: digits without leading zeros, `-` before negative ones.
enum CanonicalInteger {
    /// Whether an integer prints as exactly these bytes.
    static func prints(_ integer: Int64, as text: Span<UInt8>) -> Bool {
        let isNegative = integer < 0
        var rest = integer.magnitude
        var position = text.count
        repeat {
            position -= 1
            let digit = UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0")
            guard position >= 0, text[position] == digit else { return false }
            rest /= 10
        } while rest > 0
        guard isNegative else { return position == 0 }
        return position == 1 && text[0] == UInt8(ascii: "-")
    }
}
