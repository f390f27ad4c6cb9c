/// A pattern as in SCAN and PSUBSCRIBE: `*`, `?`, `[a-c]`, `[^a]`, and `\` before a character that stands for itself.
///
/// Every text is a pattern. Matching takes time by the product of both lengths at most, whatever the pattern.
struct GlobPattern: Sendable, Equatable {
    /// The text.
    let bytes: [UInt8]

    /// Creates a pattern.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Whether a text matches the pattern completely.
    func matches(_ text: Span<UInt8>) -> Bool {
        var (place, index) = (0, 0)
        // Where to go on after a mismatch: behind the last star, which then takes one byte more.
        var (afterStar, taken) = (-1, 0)
        while true {
            if place < self.bytes.count, self.bytes[place] == UInt8(ascii: "*") {
                place += 1
                (afterStar, taken) = (place, index)
                continue
            }
            if index == text.count {
                if place == self.bytes.count { return true }
                // The text has ended, and only stars match nothing.
                return false
            }
            if place < self.bytes.count, let next = self.match(text[index], at: place) {
                place = next
                index += 1
                continue
            }
            guard afterStar >= 0, taken < text.count else { return false }
            taken += 1
            (place, index) = (afterStar, taken)
        }
    }

    /// Matches one byte; returns the index behind the element of the pattern, or `nil` if it does not match.
    private func match(_ byte: UInt8, at place: Int) -> Int? {
        switch self.bytes[place] {
        case UInt8(ascii: "?"): return place + 1
        case UInt8(ascii: "["): return self.matchSet(byte, at: place + 1)
        case UInt8(ascii: "\\") where place + 1 < self.bytes.count:
            return self.bytes[place + 1] == byte ? place + 2 : nil
        default: return self.bytes[place] == byte ? place + 1 : nil
        }
    }

    /// Matches one byte with a set that begins behind its bracket. An unclosed set extends to the end, as in Redis.
    private func matchSet(_ byte: UInt8, at start: Int) -> Int? {
        var place = start
        let isInverted = place < self.bytes.count && self.bytes[place] == UInt8(ascii: "^")
        if isInverted { place += 1 }
        var isFound = false
        while place < self.bytes.count, self.bytes[place] != UInt8(ascii: "]") {
            if self.bytes[place] == UInt8(ascii: "\\"), place + 1 < self.bytes.count {
                isFound = isFound || self.bytes[place + 1] == byte
                place += 2
            } else if place + 2 < self.bytes.count, self.bytes[place + 1] == UInt8(ascii: "-") {
                let (one, other) = (self.bytes[place], self.bytes[place + 2])
                isFound = isFound || (min(one, other)...max(one, other)).contains(byte)
                place += 3
            } else {
                isFound = isFound || self.bytes[place] == byte
                place += 1
            }
        }
        if isFound == isInverted { return nil }
        return min(place + 1, self.bytes.count)
    }
}
