import ComponentKit
package import StageKit
import Synchronization

/// Loads the records of a checkpoint into an empty store; each is validated completely before anything relies on its
/// layout.
package struct RecordLoader: RecordLoading {
    /// The greatest number of names that a store can have, plus 1.
    package static let nameLimit = FieldNames.limit

    private let store: MemoryStore
    /// The store's field numbers, indexed by the file's.
    private let numbers: [UInt8]
    private let isRenumbered: Bool

    /// Loads records whose fields have these names, by number, and which hold all entries up to `floor`.
    package init(_ store: MemoryStore, _ fields: [String], floor: EntryID) throws {
        self.store = store
        self.numbers = store.names.withLock { names in fields.map { names.number(of: $0) } }
        guard !self.numbers.contains(FieldNames.none) else {
            throw CheckpointFailure("the store \(store.name) would have more than \(FieldNames.limit) fields")
        }
        self.isRenumbered = self.numbers.enumerated().contains { $0.offset != Int($0.element) }
        store.setFloor(floor)
    }

    /// Loads records: see `RecordLoading`.
    package func load(_ bytes: [UInt8], in range: Range<Int>) throws -> Int {
        var payload = PayloadCursor(bytes, from: range.lowerBound, to: range.upperBound)
        return try self.load(&payload)
    }

    /// Loads a payload of records; returns their number.
    package func load(_ payload: inout PayloadCursor) throws -> Int {
        var count = 0
        // Reused for each record.
        var record: [UInt8] = []
        while !payload.isAtEnd {
            let size = Int(try payload.number(UInt32.self))
            let start = payload.offset
            guard size >= PackedRecord.headerSize - 1, payload.limit - start >= size else { throw Self.damaged }
            let marks = start + PackedRecord.marksOffset
            record.removeAll(keepingCapacity: true)
            record.append(contentsOf: payload.storage[start..<marks])
            record.append(0)
            record.append(contentsOf: payload.storage[marks..<start + size])
            payload.offset = start + size
            let key = try self.check(&record)
            guard try self.store.insertRecord(record.span, key: record.span.extracting(key)) else {
                throw CheckpointFailure("it has a key twice")
            }
            count += 1
        }
        return count
    }

    /// Checks a record against the layout of `PackedRecord` and replaces its field numbers with the store's.
    ///
    /// - Returns: The range of the key.
    /// - Throws: An error if the record does not have exactly the announced length, or is not a live one.
    private func check(_ bytes: inout [UInt8]) throws -> Range<Int> {
        let end = bytes.count
        let fields = bytes[PackedRecord.countOffset]
        guard fields != PackedRecord.traceMark else { throw Self.damaged }
        var offset = PackedRecord.headerSize
        let keyLength = try Self.code(bytes, &offset, end)
        guard keyLength <= end - offset else { throw Self.damaged }
        let key = offset..<offset + keyLength
        offset += keyLength
        for _ in 0..<fields {
            guard offset < end, bytes[offset] < self.numbers.count else { throw Self.damaged }
            if self.isRenumbered { bytes[offset] = self.numbers[Int(bytes[offset])] }
            offset += 1
            let code = try Self.code(bytes, &offset, end)
            let (kind, length) = (code & 3, code >> 2)
            let size: Int
            switch kind {
            case 0 where length <= 1: size = length * 8
            case 1: size = length
            case 2 where length == 0: size = 8
            case 3: size = 8 + length
            default: throw Self.damaged
            }
            guard size <= end - offset else { throw Self.damaged }
            offset += size
        }
        guard offset == end else { throw Self.damaged }
        return key
    }

    /// Reads the code at `offset`, at most five bytes in the shortest form, and advances `offset` past it.
    private static func code(_ bytes: [UInt8], _ offset: inout Int, _ end: Int) throws -> Int {
        var (value, shift) = (0, 0)
        while offset < end, shift < 35 {
            let byte = bytes[offset]
            offset += 1
            value |= Int(byte & 0x7F) << shift
            if byte < 0x80 {
                guard byte != 0 || shift == 0 else { throw self.damaged }
                return value
            }
            shift += 7
        }
        throw self.damaged
    }

    private static let damaged = CheckpointFailure("it is damaged: a record is malformed")
}
