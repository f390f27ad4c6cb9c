import StageKit

// The form of a saved state. Numbers are little-endian; texts and bytes follow their length (4 bytes).
//
//   version (1), signature, key of the hash function (16), newest time (8), last id (id of the entry: 16, number of the
//   element counted from 1, or 0: 4; each of the two is preceded by a byte: 0 if there is none), number of windows (4),
//   then for each: start (8), key, and for each value: count (8), kind of the quantity (1), quantity (0, 8 or 12),
//   text, number of hashes (4), hashes (8 each), capped (1)

/// Writes a saved state.
struct StateWriter {
    /// The version of the form.
    static let version: UInt8 = 2

    private var bytes: [UInt8] = []

    /// Returns a table as bytes.
    static func bytes(of table: WindowTable, hasher: SipHash, signature: String) -> [UInt8] {
        var writer = StateWriter()
        writer.add(Self.version)
        writer.add(Array(signature.utf8))
        writer.add(hasher.first)
        writer.add(hasher.second)
        writer.add(UInt8(table.newest == nil ? 0 : 1))
        writer.add(table.newest ?? 0)
        writer.add(UInt8(table.last == nil ? 0 : 1))
        writer.add(table.last?.entry.milliseconds ?? 0)
        writer.add(table.last?.entry.sequence ?? 0)
        writer.add(UInt32((table.last?.element ?? -1) + 1))
        let open = table.open
        writer.add(UInt32(open.count))
        for window in open {
            writer.add(window.start)
            writer.add(window.key)
            for value in window.values { writer.add(value) }
        }
        return writer.bytes
    }

    private mutating func add(_ value: Accumulator) {
        self.add(value.count)
        switch value.quantity {
        case nil: self.add(UInt8(0))
        case .integer(let number):
            self.add(UInt8(1))
            self.add(number)
        case .unsigned(let number):
            self.add(UInt8(2))
            self.add(number)
        case .double(let number):
            self.add(UInt8(3))
            self.add(number.bitPattern)
        case .time(let seconds, let nanoseconds):
            self.add(UInt8(4))
            self.add(seconds)
            self.add(nanoseconds)
        }
        self.add(value.text)
        self.add(UInt32(value.seen.count))
        for hash in value.seen.sorted() { self.add(hash) }
        self.add(UInt8(value.isCapped ? 1 : 0))
    }

    private mutating func add(_ bytes: [UInt8]) {
        self.add(UInt32(bytes.count))
        self.bytes += bytes
    }

    private mutating func add<Number: FixedWidthInteger>(_ number: Number) {
        for index in 0..<(Number.bitWidth / 8) { self.bytes.append(UInt8(truncatingIfNeeded: number >> (8 * index))) }
    }
}

/// Reads a saved state and checks all of it.
struct StateReader {
    private let bytes: [UInt8]
    private var offset = 0

    /// Returns the table and the hash function in bytes.
    ///
    /// - Throws: The reason why the bytes cannot be used.
    static func read(
        _ bytes: [UInt8], _ rules: WindowTable.Rules, signature: String
    ) throws(StageFailure) -> (WindowTable, SipHash) {
        var reader = StateReader(bytes: bytes)
        guard try reader.number(UInt8.self) == StateWriter.version else {
            throw StageFailure("the state was saved by another version of the program")
        }
        let settings = try reader.blob()
        let hasher = SipHash(first: try reader.number(), second: try reader.number())
        var table = WindowTable(rules)
        let (hasNewest, newest) = (try reader.flag(), try reader.number(Int64.self))
        table.newest = hasNewest ? newest : nil
        let (hasLast, milliseconds, sequence) = (
            try reader.flag(), try reader.number(UInt64.self), try reader.number(UInt64.self)
        )
        let element = Int(try reader.number(UInt32.self))
        let last = EventID(
            EntryID(milliseconds: milliseconds, sequence: sequence), element: element == 0 ? nil : element - 1)
        table.last = hasLast ? last : nil
        let count = try reader.number(UInt32.self)
        guard settings == Array(signature.utf8) else {
            let changed = StateSignature.changes(from: String(decoding: settings, as: UTF8.self), to: signature)
            let lost = count == 1 ? "1 open window is lost" : "\(count) open windows are lost"
            throw StageFailure("the stage's settings have changed (\(changed)): \(lost)")
        }
        for _ in 0..<count {
            let start = try reader.number(Int64.self)
            guard TimeRange.isStart(start, ofSize: rules.size) else { throw Self.damaged }
            let key = try reader.blob()
            guard table.windows[start]?[key] == nil else { throw Self.damaged }
            var values: [Accumulator] = []
            for _ in rules.functions { values.append(try reader.accumulator()) }
            table.restore(WindowTable.Closed(start: start, key: key, values: values))
        }
        guard reader.offset == bytes.count, table.newest.map(TimeRange.isValid) ?? table.windows.isEmpty else {
            throw Self.damaged
        }
        return (table, hasher)
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private static let damaged = StageFailure("the state is damaged")

    private mutating func accumulator() throws(StageFailure) -> Accumulator {
        var value = Accumulator()
        value.count = try self.number()
        switch try self.number(UInt8.self) {
        case 0: break
        case 1: value.quantity = .integer(try self.number())
        case 2: value.quantity = .unsigned(try self.number())
        case 3: value.quantity = .double(Double(bitPattern: try self.number()))
        case 4: value.quantity = .time(seconds: try self.number(), nanoseconds: try self.number())
        default: throw Self.damaged
        }
        value.text = try self.blob()
        for _ in 0..<(try self.number(UInt32.self)) { value.seen.insert(try self.number()) }
        value.isCapped = try self.flag()
        return value
    }

    private mutating func flag() throws(StageFailure) -> Bool {
        switch try self.number(UInt8.self) {
        case 0: return false
        case 1: return true
        default: throw Self.damaged
        }
    }

    private mutating func blob() throws(StageFailure) -> [UInt8] {
        let count = Int(try self.number(UInt32.self))
        guard count <= self.bytes.count - self.offset else { throw Self.damaged }
        defer { self.offset += count }
        return Array(self.bytes[self.offset..<self.offset + count])
    }

    private mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self
    ) throws(StageFailure) -> Number {
        let size = Number.bitWidth / 8
        guard size <= self.bytes.count - self.offset else { throw Self.damaged }
        var number: Number = 0
        for index in 0..<size { number |= Number(truncatingIfNeeded: self.bytes[self.offset + index]) << (8 * index) }
        self.offset += size
        return number
    }
}

/// The times that windows may have, so that their ends can be written as RFC 3339 (years 1 to 9999).
enum TimeRange {
    /// The years 5 to 9891, in milliseconds since 1970.
    private static let milliseconds: ClosedRange<Int64> = -62_000_000_000_000...250_000_000_000_000

    /// Returns whether an event may have a time.
    static func isValid(_ milliseconds: Int64) -> Bool { self.milliseconds.contains(milliseconds) }

    /// Returns whether a window with an event may start at a time.
    static func isStart(_ start: Int64, ofSize size: Int64) -> Bool {
        start <= self.milliseconds.upperBound && start > self.milliseconds.lowerBound - size && start % size == 0
    }
}
