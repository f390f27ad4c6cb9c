import StageKit

/// The form of entry ids and fields in the file. Pure.
enum SnapshotCodec {
    /// The flag of a field whose value is also a number.
    private static let hasNumber: UInt8 = 1

    /// Returns an id as 16 bytes that are ordered like ids: milliseconds and sequence, the highest byte first.
    static func bytes(_ entry: EntryID) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16)
        Self.append(entry.milliseconds, to: &bytes)
        Self.append(entry.sequence, to: &bytes)
        return bytes
    }

    /// Reads the bytes of an id; returns `nil` for any other number of bytes.
    static func entry(_ bytes: [UInt8]) -> EntryID? {
        guard bytes.count == 16 else { return nil }
        var rest = bytes[...]
        guard let milliseconds = Self.take(UInt64.self, &rest), let sequence = Self.take(UInt64.self, &rest) else {
            return nil
        }
        return EntryID(milliseconds: milliseconds, sequence: sequence)
    }

    /// Returns fields as bytes: for each a flag, the lengths of name and value, the number if there is one, the name and
    /// the value.
    static func bytes(_ fields: [Snapshot.Field]) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in fields {
            bytes.append(field.integer == nil ? 0 : self.hasNumber)
            self.append(UInt32(field.name.utf8.count), to: &bytes)
            self.append(UInt32(field.bytes.count), to: &bytes)
            if let number = field.integer { self.append(number, to: &bytes) }
            bytes += field.name.utf8
            bytes += field.bytes
        }
        return bytes
    }

    /// Reads the bytes of fields; returns `nil` if they are damaged.
    static func fields(_ bytes: [UInt8]) -> [Snapshot.Field]? {
        var rest = bytes[...]
        var fields: [Snapshot.Field] = []
        while let flag = rest.popFirst() {
            guard flag <= self.hasNumber, let nameLength = self.take(UInt32.self, &rest),
                let valueLength = self.take(UInt32.self, &rest)
            else { return nil }
            var number: Int64?
            if flag == self.hasNumber {
                guard let found = self.take(Int64.self, &rest) else { return nil }
                number = found
            }
            guard let name = self.take(Int(nameLength), &rest), let value = self.take(Int(valueLength), &rest),
                let text = String(validating: name, as: UTF8.self)
            else { return nil }
            fields.append(Snapshot.Field(name: text, bytes: Array(value), integer: number))
        }
        return fields
    }

    private static func append<N: FixedWidthInteger>(_ number: N, to bytes: inout [UInt8]) {
        for shift in stride(from: N.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    private static func take<N: FixedWidthInteger>(_ type: N.Type, _ rest: inout ArraySlice<UInt8>) -> N? {
        self.take(N.bitWidth / 8, &rest)?.reduce(N.zero) { $0 << 8 | N(truncatingIfNeeded: $1) }
    }

    private static func take(_ count: Int, _ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
