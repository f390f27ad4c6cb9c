import NIOHTTP1

/// Finds the session's key in the headers of a request.
///
/// The key's bytes are used as they are: nothing is decoded. A source that has two different values has none: which of
/// them the application behind the gateway would use is not known.
struct KeyFinder {
    /// The value of a source in a request.
    private enum Found {
        case nothing
        case value(Substring)
        case conflict
    }

    /// A source, prepared for comparison.
    private struct Place {
        /// The name of its header in lower case.
        let header: [UInt8]
        let source: KeySource
        /// The cookie's name.
        let cookie: [UInt8]
    }

    private let places: [Place]
    private var found: [Found]

    /// Creates a finder for sources in order.
    init(_ sources: [KeySource]) {
        self.places = sources.map { source in
            let cookie = if case .cookie(let name) = source { Array(name.utf8) } else { [UInt8]() }
            return Place(header: Array(source.headerName.utf8), source: source, cookie: cookie)
        }
        self.found = sources.map { _ in .nothing }
    }

    /// Forgets the previous request.
    mutating func reset() {
        for index in self.found.indices { self.found[index] = .nothing }
    }

    /// Reads a header.
    mutating func read(_ name: String, _ value: String) {
        for index in self.places.indices where Self.equals(name, self.places[index].header) {
            switch self.places[index].source {
            case .header: self.take(Self.trimmed(value[...]), at: index)
            case .bearer: if let token = Self.bearerToken(value) { self.take(token, at: index) }
            case .cookie: self.readCookies(value, at: index)
            }
        }
    }

    /// The key of the first source that has one; `nil` if there is none or if it has two different ones.
    var key: Substring? {
        for found in self.found {
            switch found {
            case .nothing: continue
            case .conflict: return nil
            case .value(let value):
                if value.isEmpty { continue }
                return Self.isExact(value) ? value : nil
            }
        }
        return nil
    }

    private mutating func take(_ value: Substring, at index: Int) {
        switch self.found[index] {
        // Also if it is empty: together with another value, it is one of two.
        case .nothing: self.found[index] = .value(value)
        case .value(let known): if !known.utf8.elementsEqual(value.utf8) { self.found[index] = .conflict }
        case .conflict: break
        }
    }

    /// Source: RFC 6265, section 4.2.1: `name=value; name=value`.
    private mutating func readCookies(_ value: String, at index: Int) {
        for pair in value.utf8.split(separator: UInt8(ascii: ";")) {
            guard let sign = pair.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = Self.trimmed(Substring(pair[..<sign]))
            guard name.utf8.elementsEqual(self.places[index].cookie) else { continue }
            self.take(Self.trimmed(Substring(pair[pair.index(after: sign)...])), at: index)
        }
    }

    /// Returns the token of `Authorization: Bearer TOKEN`, or `nil` for another scheme.
    private static func bearerToken(_ value: String) -> Substring? {
        let text = Self.trimmed(value[...])
        guard let space = text.utf8.firstIndex(of: 0x20), Self.equals(text[..<space], Self.bearer) else { return nil }
        return Self.trimmed(text[space...])
    }

    private static let bearer = Array("bearer".utf8)

    /// Whether a value has the bytes that were sent: the codec replaces bytes that are not UTF-8 by U+FFFD, so that two
    /// different keys could look the same.
    private static func isExact(_ value: Substring) -> Bool {
        var previous: (UInt8, UInt8) = (0, 0)
        for byte in value.utf8 {
            if previous == (0xEF, 0xBF), byte == 0xBD { return false }
            previous = (previous.1, byte)
        }
        return true
    }

    /// Returns a text without spaces and tabs at its ends (OWS in RFC 9110, 5.6.3).
    private static func trimmed(_ text: Substring) -> Substring {
        var bytes = text.utf8[...]
        while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return Substring(bytes)
    }

    /// Whether an ASCII text equals a name in lower case.
    @inline(__always)
    static func equals(_ text: some StringProtocol, _ name: [UInt8]) -> Bool {
        guard text.utf8.count == name.count else { return false }
        var index = 0
        for byte in text.utf8 {
            let lower = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
            if lower != name[index] { return false }
            index += 1
        }
        return true
    }
}
