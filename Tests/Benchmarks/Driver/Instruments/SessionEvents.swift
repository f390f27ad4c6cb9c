import StageKit

/// Session events made in this process, of the same shape as those of the yardsticks' loader.
struct SessionEvents {
    /// Bytes of a session's id.
    static let keyLength = 16

    private static let names = ["device_session_id", "user_id", "client_public_key", "status"]
    private static let values = [
        String(repeating: "0", count: Self.keyLength), "u000000", String(repeating: "A", count: 43) + "=", "active",
    ]

    /// Names and values of one event, one behind the other.
    private var template: [UInt8]
    private let fields: [(name: Range<Int>, value: Range<Int>)]

    /// Prepares the parts that are the same in all events.
    init() {
        var template: [UInt8] = []
        var fields: [(Range<Int>, Range<Int>)] = []
        for (name, value) in zip(Self.names, Self.values) {
            let nameStart = template.count
            template += Array(name.utf8)
            let valueStart = template.count
            template += Array(value.utf8)
            fields.append((nameStart..<valueStart, valueStart..<template.count))
        }
        self.template = template
        self.fields = fields
    }

    /// Adds the event of a session to a batch.
    mutating func append(session: UInt64, id: EntryID, to batch: EventBatch) {
        let mixed = Self.mix(session)
        Self.writeHex(mixed, to: &self.template, at: self.fields[0].value.lowerBound)
        Self.writeHex(Self.mix(mixed), to: &self.template, at: self.fields[2].value.lowerBound)
        let place = batch.copyToArena(self.template)
        batch.appendEntry(id)
        for field in self.fields {
            batch.appendField(name: Self.range(field.name, in: place), value: Self.range(field.value, in: place))
        }
    }

    /// The id of a session, as hexadecimal text.
    static func writeKey(of session: UInt64, to bytes: inout [UInt8], at offset: Int) {
        self.writeHex(self.mix(session), to: &bytes, at: offset)
    }

    private static func range(_ range: Range<Int>, in place: ByteRange) -> ByteRange {
        ByteRange(offset: place.offset + UInt32(range.lowerBound), length: UInt32(range.count))
    }

    private static func writeHex(_ value: UInt64, to bytes: inout [UInt8], at offset: Int) {
        for digit in 0..<Self.keyLength {
            let nibble = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * digit)) & 15
            bytes[offset + digit] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        }
    }

    /// The finaliser of splitmix64: a bijection that makes numbers look random. Source: Steele, Lea and Flood, "Fast
    /// splittable pseudorandom number generators", 2014.
    static func mix(_ number: UInt64) -> UInt64 {
        var x = number &+ 0x9e37_79b9_7f4a_7c15
        x = (x ^ (x >> 30)) &* 0xbf58_476d_1ce4_e5b9
        x = (x ^ (x >> 27)) &* 0x94d0_49bb_1331_11eb
        return x ^ (x >> 31)
    }
}
