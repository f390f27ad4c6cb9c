/// A key pattern in the syntax of SCAN: `*`, `?`, `[...]`, and `\` to escape a character.
struct KeyPattern: Sendable, Equatable {
    /// One element of a pattern.
    private enum Element: Sendable, Equatable {
        /// Any number of bytes.
        case any
        /// One byte from this set.
        case one(of: Set<UInt8>)
    }

    private let elements: [Element]

    /// Parses a pattern. Every text is a valid pattern.
    init(_ text: String) {
        var rest = Array(text.utf8)[...]
        var elements: [Element] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "*"): elements.append(.any)
            case UInt8(ascii: "?"): elements.append(.one(of: Set(0...255)))
            case UInt8(ascii: "["): elements.append(.one(of: Self.set(&rest)))
            case UInt8(ascii: "\\"): elements.append(.one(of: [rest.popFirst() ?? byte]))
            default: elements.append(.one(of: [byte]))
            }
        }
        self.elements = elements
    }

    /// Returns whether a key that begins with a prefix can match the pattern.
    func canMatch(keysWithPrefix prefix: String) -> Bool {
        !self.places(after: prefix).isEmpty
    }

    /// Returns whether a key matches the pattern.
    func matches(_ key: String) -> Bool {
        self.places(after: key).contains(self.elements.count)
    }

    /// Returns every pattern index that a text can reach. As long as one index remains, some continuation of the text
    /// matches the rest of the pattern.
    private func places(after text: String) -> Set<Int> {
        var places = self.closed([0])
        for byte in text.utf8 {
            var next: Set<Int> = []
            for place in places where place < self.elements.count {
                switch self.elements[place] {
                case .any: next.insert(place)
                case .one(let bytes): if bytes.contains(byte) { next.insert(place + 1) }
                }
            }
            places = self.closed(next)
            if places.isEmpty { break }
        }
        return places
    }

    /// Adds the indices that can be reached without consuming a byte.
    private func closed(_ places: Set<Int>) -> Set<Int> {
        var closed = places
        for start in places {
            var place = start
            while place < self.elements.count, self.elements[place] == .any {
                place += 1
                closed.insert(place)
            }
        }
        return closed
    }

    /// Parses the rest of `[...]` after the opening bracket. An unclosed set extends to the end, as on the server.
    private static func set(_ rest: inout ArraySlice<UInt8>) -> Set<UInt8> {
        var bytes: Set<UInt8> = []
        let isInverted = rest.first == UInt8(ascii: "^")
        if isInverted { rest.removeFirst() }
        while let byte = rest.popFirst(), byte != UInt8(ascii: "]") {
            if byte == UInt8(ascii: "\\"), let literal = rest.popFirst() {
                bytes.insert(literal)
            } else if rest.first == UInt8(ascii: "-"), rest.count >= 2 {
                rest.removeFirst()
                let end = rest.removeFirst()
                bytes.formUnion(min(byte, end)...max(byte, end))
            } else {
                bytes.insert(byte)
            }
        }
        return isInverted ? Set(0...255).subtracting(bytes) : bytes
    }
}
