import ComponentKit
import StageKit

/// A condition on snapshots, resolved once: whether a field has a certain value, or any other condition of the file.
public struct SnapshotCondition: Sendable {
    /// The field; not used if there is a program.
    let field: SnapshotField
    /// The required value; not used if there is a program.
    let expected: [UInt8]
    /// The bit that marks records which meet the condition; 0 if it has no bit.
    let mark: UInt8
    /// Any other condition than one value of one field.
    private let program: SnapshotProgram?

    /// The condition that a field has a value.
    init(field: SnapshotField, expected: [UInt8], mark: UInt8) {
        self.field = field
        self.expected = expected
        self.mark = mark
        self.program = nil
    }

    /// Any other condition. Only a shared store marks records with it.
    init(_ program: SnapshotProgram, mark: UInt8 = 0) {
        self.field = SnapshotField(number: FieldNames.none)
        self.expected = []
        self.mark = mark
        self.program = program
    }

    /// Whether a live record with a key of this length meets it, by its fields.
    @inline(__always)
    func isMet(by record: PackedRecord, keyLength: Int) -> Bool {
        SnapshotView(record, keyLength: keyLength).meets(self)
    }

    /// Whether a snapshot meets the program, or `nil` if the condition has none.
    @inline(never)
    func programHolds(for snapshot: borrowing SnapshotView) -> Bool? {
        self.program?.holds(for: RecordValues(record: snapshot.record, keyLength: snapshot.keyLength))
    }
}

/// The values of a record; a field's number is that of its name in the store.
private struct RecordValues: SnapshotValues {
    let record: PackedRecord
    let keyLength: Int

    var entryID: EntryID { self.record.entryID }

    private var view: SnapshotView { SnapshotView(self.record, keyLength: self.keyLength) }

    func has(_ field: Int) -> Bool { self.view.has(SnapshotField(number: UInt8(field))) }

    func text(of field: Int) -> String? {
        self.view.withValue(of: SnapshotField(number: UInt8(field))) { bytes in
            guard let bytes else { return nil }
            return unsafe bytes.withUnsafeBufferPointer { unsafe String(validating: $0, as: UTF8.self) }
        }
    }

    func integer(of field: Int) -> Int64? { self.view.integer(of: SnapshotField(number: UInt8(field))) }

    func value(of field: Int, equals bytes: [UInt8]) -> Bool {
        self.view.value(of: SnapshotField(number: UInt8(field)), equals: bytes.span)
    }
}

/// The conditions that a store marks its records with, so that a lookup finds the result next to the key.
struct MarkedConditions: Sendable {
    /// A record has one byte of marks; gateways use one or two conditions.
    static let limit = 8

    /// The conditions, each with a mark of its own.
    private(set) var list: [SnapshotCondition] = []

    /// The condition with this field and value, or `nil` if there is none yet.
    func find(_ field: SnapshotField, _ expected: [UInt8]) -> SnapshotCondition? {
        self.list.first { $0.field == field && $0.expected == expected }
    }

    /// Adds a condition; returns `nil` if all marks are used.
    mutating func add(_ field: SnapshotField, _ expected: [UInt8]) -> SnapshotCondition? {
        guard self.list.count < MarkedConditions.limit else { return nil }
        let condition = SnapshotCondition(field: field, expected: expected, mark: 1 << UInt8(self.list.count))
        self.list.append(condition)
        return condition
    }

    /// Adds any other condition; returns `nil` if all marks are used. `EventMarks` do not include it.
    mutating func add(_ program: SnapshotProgram) -> SnapshotCondition? {
        guard self.list.count < MarkedConditions.limit else { return nil }
        let condition = SnapshotCondition(program, mark: 1 << UInt8(self.list.count))
        self.list.append(condition)
        return condition
    }

    /// The marks of a live record.
    func marks(of record: PackedRecord) -> UInt8 {
        let keyLength = record.keyRange.count
        return self.list.reduce(0) { marks, condition in
            condition.isMet(by: record, keyLength: keyLength) ? marks | condition.mark : marks
        }
    }

    /// The marks of an event's record, for a writer that keeps these columns.
    func questions(_ columns: RecordColumns) -> EventMarks {
        EventMarks(
            questions: self.list.flatMap { condition in
                columns.fields.filter { $0.number == condition.field.number }.map {
                    EventMarks.Question(field: $0.field, expected: condition.expected, mark: condition.mark)
                }
            },
            conditions: self.list.count)
    }
}

/// The marked conditions, resolved to the columns of a writer's events.
struct EventMarks: Sendable {
    /// Whether a column has a value.
    struct Question: Sendable {
        /// The column.
        let field: FieldID
        /// The value.
        let expected: [UInt8]
        /// The mark of a record that meets it.
        let mark: UInt8
    }

    /// The conditions to evaluate.
    let questions: [Question]
    /// The number of conditions when the questions were created; conditions are never removed.
    let conditions: Int

    /// The marks of an event's record.
    @inline(__always)
    func marks(of event: borrowing Event) -> UInt8 {
        var marks: UInt8 = 0
        // Uses indices: iterating over the array itself would retain each value.
        let questions = self.questions.span
        for index in questions.indices
        where event.value(of: questions[index].field, equals: questions[index].expected) {
            marks |= questions[index].mark
        }
        return marks
    }
}
