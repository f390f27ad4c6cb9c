import StageKit

/// How the record of one event will look: read off the event once, so that its size is known before there is memory for
/// it and nothing is worked out twice.
///
/// It is used again for the next event, by one thread at a time. `forms` is plain memory, because an array would be
/// checked for being unique at each value of each event. It has room for every column, is made once, never grows and is
/// freed with the draft; the first `count` values are those of the event read last.
@safe
final class RecordDraft {
    /// How a value is packed: see `PackedRecord`.
    private struct Form: BitwiseCopyable {
        /// Code of length and kind.
        var code: Int
        /// The text; read where `kind` says that there is some.
        var range: ByteRange
        var integer: Int64
        var number: UInt8
        var hasInteger: Bool
        var hasText: Bool
    }

    /// Up to this many bytes a value is packed before all longer ones: a status and a number are shorter, a public key is
    /// not.
    private static let shortLength: UInt32 = 24

    private let columns: RecordColumns
    private let forms: UnsafeMutableBufferPointer<Form>
    private var count = 0
    private var questions = MarkedConditions().questions(RecordColumns(key: FieldID(index: 0), fields: []))
    private var marks: UInt8 = 0
    /// Bytes of the record.
    private(set) var size = 0

    /// Makes a draft for records of these columns.
    init(_ columns: RecordColumns) {
        self.columns = columns
        unsafe self.forms = .allocate(capacity: columns.fields.count)
        let empty = Form(
            code: 0, range: ByteRange(offset: 0, length: 0), integer: 0, number: 0, hasInteger: false, hasText: false)
        unsafe self.forms.initialize(repeating: empty)
    }

    deinit {
        unsafe self.forms.deallocate()
    }

    /// Becomes the draft of an event's record, which is marked with the conditions that it meets.
    func read(_ event: borrowing Event, keyLength: Int, _ conditions: borrowing MarkedConditions) {
        if conditions.list.count != self.questions.conditions { self.questions = conditions.questions(self.columns) }
        self.marks = self.questions.marks(of: event)
        var size = PackedRecord.headerSize &+ RecordCursor.size(ofCode: keyLength) &+ keyLength
        var count = 0
        let key = self.columns.key
        for column in self.columns.fields {
            guard let range = event.range(of: column.field) else { continue }
            let integer = event.integer(of: column.field)
            var kind = 1
            if column.field == key {
                kind = 0
            } else if let integer {
                kind = event.withBytes(range) { CanonicalInteger.prints(integer, as: $0) } ? 2 : 3
            }
            let length = kind == 0 ? (integer == nil ? 0 : 1) : kind == 2 ? 0 : Int(range.length)
            let form = Form(
                code: length &<< 2 | kind, range: range, integer: integer ?? 0, number: column.number,
                hasInteger: integer != nil, hasText: kind & 1 == 1)
            size &+= 1 &+ RecordCursor.size(ofCode: form.code) &+ (form.hasInteger ? 8 : 0)
            if form.hasText { size &+= length }
            unsafe self.forms[count] = form
            count &+= 1
        }
        self.count = count
        self.size = size
    }

    /// Writes the record of the event read last, `size` bytes.
    func write(_ event: borrowing Event, key: Span<UInt8>, to words: SharedWords) {
        var cursor = RecordCursor(words)
        let count = self.count
        cursor.append(number: event.id.milliseconds)
        cursor.append(number: event.id.sequence)
        cursor.append(byte: UInt8(truncatingIfNeeded: count))
        cursor.append(byte: self.marks)
        cursor.append(code: key.count)
        cursor.append(key)
        // Short values, which are what look-ups ask for, come next to the key, on the record's first cache lines.
        var hasLong = false
        for index in 0..<count {
            let form = unsafe self.forms[index]
            if form.range.length > RecordDraft.shortLength {
                hasLong = true
            } else {
                RecordDraft.write(form, of: event, to: &cursor)
            }
        }
        if hasLong {
            for index in 0..<count {
                let form = unsafe self.forms[index]
                if form.range.length > RecordDraft.shortLength { RecordDraft.write(form, of: event, to: &cursor) }
            }
        }
        cursor.finish()
    }

    @inline(__always)
    private static func write(_ form: Form, of event: borrowing Event, to cursor: inout RecordCursor) {
        cursor.append(byte: form.number)
        cursor.append(code: form.code)
        if form.hasInteger { cursor.append(number: UInt64(bitPattern: form.integer)) }
        if form.hasText { event.withBytes(form.range) { cursor.append($0) } }
    }
}
