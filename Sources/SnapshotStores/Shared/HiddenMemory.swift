import StageKit
import Synchronization

/// The memory of the fields that a shared store does not share, and how a record is divided.
///
/// The shared part of a record is a complete record with a link as its last field: the location of the hidden part.
/// The hidden part is a record without a key, stored without the entry id. Both parts are changed together, by the
/// holder of the store's `changes`; lookups take that lock to read a hidden part.
final class HiddenMemory: Sendable {
    /// The number of a link, which no field has.
    private static let link = FieldNames.none
    /// The bytes of a link: unit and size class.
    private static let linkBytes = 5
    /// The size of a link with its number and code.
    private static let linkSize = 2 + linkBytes

    /// The memory.
    let memory: RecordMemory
    private let sharedFields: Int

    /// Reserves memory for records whose fields below a number are shared.
    init(bytes: Int, shared: Int) {
        self.memory = RecordMemory(bytes: bytes)
        self.sharedFields = shared
    }

    /// The two parts of a record; reused for the next one.
    struct Parts: Sendable {
        /// The shared part without a link.
        fileprivate(set) var shared: [UInt8] = []
        /// The hidden part without the entry id; empty if there are no hidden fields.
        fileprivate(set) var hidden: [UInt8] = []

        /// The size of the shared part with its link.
        var sharedSize: Int { self.shared.count + (self.hidden.isEmpty ? 0 : HiddenMemory.linkSize) }

        /// Adds the link to the hidden part.
        fileprivate mutating func addLink(_ location: RecordLocation) {
            self.shared[PackedRecord.countOffset] += 1
            self.shared += [HiddenMemory.link, UInt8(HiddenMemory.linkBytes << 2 | 1)]
            for byte in 0..<4 { self.shared.append(UInt8(truncatingIfNeeded: location.unit >> UInt32(8 * byte))) }
            self.shared.append(location.sizeClass.number)
        }
    }

    /// Divides a complete record. The record's stream stays in the shared part, as does the key.
    ///
    /// - Parameters:
    ///   - record: The record.
    ///   - stream: The number of the field that contains the record's stream, or `nil` if there is none.
    ///   - marks: The marks of the conditions that the complete record meets.
    ///   - parts: Receives the parts.
    func divide(_ record: PackedRecord, stream: UInt8?, marks: UInt8, _ parts: inout Parts) {
        let key = record.keyRange
        parts.shared.removeAll(keepingCapacity: true)
        parts.hidden.removeAll(keepingCapacity: true)
        unsafe parts.shared.append(contentsOf: record.unsafeBytes(0..<key.upperBound))
        var (shared, hidden) = (UInt8(0), UInt8(0))
        var walk = record.fields
        while true {
            let start = walk.end
            guard let field = walk.next() else { break }
            if field.number < self.sharedFields || field.number == stream || field.range == key {
                unsafe parts.shared.append(contentsOf: record.unsafeBytes(start..<walk.end))
                shared += 1
            } else {
                // The head of a record without a key: number of fields, marks, length of the key.
                if parts.hidden.isEmpty { parts.hidden += [0, 0, 0] }
                unsafe parts.hidden.append(contentsOf: record.unsafeBytes(start..<walk.end))
                hidden += 1
            }
        }
        parts.shared[PackedRecord.countOffset] = shared
        parts.shared[PackedRecord.marksOffset] = marks
        if hidden > 0 { parts.hidden[0] = hidden }
    }

    /// Stores the hidden part and adds the link to the shared part; returns its location, or `nil` if there is no
    /// memory.
    func store(_ parts: inout Parts, _ allocations: inout RecordMemory.Allocations) -> RecordLocation? {
        guard let location = self.memory.take(SizeClass(bytes: parts.hidden.count), from: &allocations) else {
            return nil
        }
        unsafe parts.hidden.withUnsafeBytes { unsafe self.memory.words(of: location).store($0) }
        parts.addLink(location)
        return location
    }

    /// Frees the hidden part of a record, if there is one; the record is about to be removed.
    func release(_ record: PackedRecord, _ allocations: inout RecordMemory.Allocations) {
        if let location = self.location(of: record) { self.memory.giveBack(location, to: &allocations) }
    }

    /// The complete record, or `nil` if the record has no hidden part.
    func join(_ record: PackedRecord) -> RecordClone? {
        guard let location = self.location(of: record) else { return nil }
        let size = record.size - Self.linkSize
        var bytes = unsafe [UInt8](record.unsafeBytes(0..<size))
        let words = self.memory.words(of: location)
        // With room for the entry id, so that it has the layout of a record.
        let before = PackedRecord.countOffset / SharedWords.stride
        let part = [UInt64](repeating: 0, count: before) + (0..<words.count).map { words[$0] }
        unsafe part.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            let hidden = unsafe PackedRecord(base)
            let fields = unsafe hidden.unsafeBytes(hidden.keyRange.upperBound..<hidden.size)
            unsafe bytes.append(contentsOf: fields)
            bytes[PackedRecord.countOffset] += unsafe buffer[PackedRecord.countOffset] - 1
        }
        return RecordClone(bytes)
    }

    /// Whether a record has a hidden part.
    func hasHiddenPart(_ record: PackedRecord) -> Bool { self.location(of: record) != nil }

    private func location(of record: PackedRecord) -> RecordLocation? {
        var walk = record.fields
        guard let range = walk.first(Self.link)?.range else { return nil }
        let bytes = unsafe record.unsafeBytes(range)
        let unit = (0..<4).reduce(UInt32(0)) { unsafe $0 | UInt32(bytes[$1]) << UInt32(8 * $1) }
        return unsafe RecordLocation(unit: unit, sizeClass: SizeClass(number: bytes[4]))
    }
}

extension MemoryStore {
    /// Frees the memory of a record that no slot refers to any more.
    @inline(__always)
    func giveBack(_ location: RecordLocation, _ state: inout ChangeState) {
        if let hidden = self.hidden { hidden.release(self.records.record(location), &state.hiddenAllocations) }
        self.records.giveBack(location, to: &state.allocations)
    }

    /// Copies a record completely, with its hidden part; the caller must hold `changes`.
    func clone(_ record: PackedRecord) -> RecordClone { self.hidden?.join(record) ?? RecordClone(record) }

    /// Stores a complete record in two parts, in the slot of the key's previous record or in a new one.
    ///
    /// - Throws: An error if there is no memory; nothing has changed then.
    @inline(never)
    func put(
        divided record: PackedRecord, _ hidden: HiddenMemory, _ hash: UInt64, _ shard: Int, instead found: FoundSlot?,
        _ state: inout ChangeState
    ) throws(StageFailure) {
        hidden.divide(record, stream: state.streams?.field, marks: state.conditions.marks(of: record), &state.parts)
        try self.checkLimits(recordSize: state.parts.sharedSize, isNew: false)
        let sizeClass = SizeClass(bytes: state.parts.sharedSize)
        let location = try self.take(sizeClass, &state, newIn: found == nil ? shard : nil)
        if !state.parts.hidden.isEmpty, hidden.store(&state.parts, &state.hiddenAllocations) == nil {
            self.records.giveBack(location, to: &state.allocations)
            throw self.outOfMemory(&state)
        }
        unsafe state.parts.shared.withUnsafeBytes { unsafe self.records.words(of: location).store($0) }
        self.put(Slot(hash: hash, location), hash, shard, instead: found, &state)
    }
}
