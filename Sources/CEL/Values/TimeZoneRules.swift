/// The offsets of a time zone from UTC, read from a file of the zone database.
///
/// Source: RFC 8536, "The Time Zone Information Format (TZif)", versions 1 to 4. Leap seconds are ignored, as in POSIX
/// time.
public struct TimeZoneRules: Sendable {
    /// The times at which the offset changes, in seconds since 1970, in ascending order.
    private let transitions: [Int64]
    /// The offset from each transition on, in seconds.
    private let offsets: [Int]
    /// The offset before the first transition.
    private let first: Int
    /// The offsets after the last transition, or `nil` if they stay as they are.
    private let later: RecurringOffsets?

    /// Reads the content of a file.
    ///
    /// - Returns: `nil` if the bytes are not a complete file of this format.
    public init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard var header = reader.header() else { return nil }
        let version = header.version
        if version >= 2 {
            // The first part has times of 32 bits; the same again with 64 bits follows.
            guard reader.skip(header.size(timeSize: 4)), let second = reader.header() else { return nil }
            header = second
        }
        guard let data = reader.data(header, timeSize: version >= 2 ? 8 : 4) else { return nil }
        self.transitions = data.times
        self.offsets = data.offsets
        self.first = data.first
        self.later = version >= 2 ? reader.footer().flatMap { RecurringOffsets($0) } : nil
    }

    /// Returns the offset at a time in seconds since 1970, in seconds east of UTC.
    public func offset(at seconds: Int64) -> Int {
        guard let last = self.transitions.last else { return self.later?.offset(at: seconds) ?? self.first }
        if seconds >= last { return self.later?.offset(at: seconds) ?? self.offsets[self.offsets.count - 1] }
        var (low, high) = (0, self.transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if self.transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? self.first : self.offsets[low - 1]
    }

    private struct Header {
        var version = 0
        /// Counts in the order of the format: flags of two kinds, leap seconds, transitions, types, characters.
        var counts: [Int] = []

        func size(timeSize: Int) -> Int {
            let (times, types) = (self.counts[3] * (timeSize + 1), self.counts[4] * 6)
            return times + types + self.counts[5] + self.counts[2] * (timeSize + 4) + self.counts[1] + self.counts[0]
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        /// Far more than any zone needs; the sum of the sizes cannot overflow.
        private static let countLimit = 1 << 20

        mutating func skip(_ count: Int) -> Bool {
            guard count <= self.bytes.count - self.position else { return false }
            self.position += count
            return true
        }

        mutating func number(_ size: Int) -> Int64? {
            guard size <= self.bytes.count - self.position else { return nil }
            var value = Int64(Int8(bitPattern: self.bytes[self.position]))
            for index in 1..<size { value = value << 8 | Int64(self.bytes[self.position + index]) }
            self.position += size
            return value
        }

        mutating func header() -> Header? {
            guard self.bytes.dropFirst(self.position).starts(with: Array("TZif".utf8)), self.skip(4),
                let mark = self.bytes.dropFirst(self.position).first, self.skip(16)
            else { return nil }
            var header = Header()
            header.version = mark == 0 ? 1 : Int(mark) - Int(UInt8(ascii: "0"))
            for _ in 0..<6 {
                guard let count = self.number(4), (0...Int64(Self.countLimit)).contains(count) else { return nil }
                header.counts.append(Int(count))
            }
            return header.version >= 1 && header.counts[4] > 0 ? header : nil
        }

        mutating func data(_ header: Header, timeSize: Int) -> (times: [Int64], offsets: [Int], first: Int)? {
            guard header.size(timeSize: timeSize) <= self.bytes.count - self.position else { return nil }
            let end = self.position + header.size(timeSize: timeSize)
            let times = (0..<header.counts[3]).compactMap { _ in self.number(timeSize) }
            let types = (0..<header.counts[3]).compactMap { _ in self.number(1) }
            let offsets = (0..<header.counts[4]).compactMap { _ -> Int? in
                defer { _ = self.skip(2) }
                return self.number(4).map { Int($0) }
            }
            guard offsets.allSatisfy({ (-86_399...86_399).contains($0) }),
                types.allSatisfy({ offsets.indices.contains(Int($0)) }), zip(times, times.dropFirst()).allSatisfy(<)
            else { return nil }
            self.position = end
            return (times, types.map { offsets[Int($0)] }, offsets[0])
        }

        /// The text between the line feeds at the end of the file; `nil` if it is empty.
        func footer() -> String? {
            let rest = self.bytes.dropFirst(self.position)
            guard rest.first == 0x0A, let end = rest.dropFirst().firstIndex(of: 0x0A) else { return nil }
            let text = rest[(rest.startIndex + 1)..<end]
            return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
        }
    }
}
