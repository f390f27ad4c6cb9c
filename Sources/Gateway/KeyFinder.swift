/// Finds the session's key in the headers of a request.
///
/// The key's bytes are used as they are: nothing is decoded. A source that has two different values has none: which of
/// them the application behind the gateway would use is not known.
struct KeyFinder {
    /// The value of a source in a request.
    private enum Found {
        case nothing
        /// Its range in `bytes`.
        case value(Range<Int>)
        case conflict
    }

    /// How a header has the key.
    private enum Kind {
        case header, cookie, bearer
    }

    /// A source, prepared for comparison. Nothing in it has to be retained.
    private struct PreparedSource {
        /// The range in `text` of the name of its header in lower case.
        let header: Range<Int>
        let kind: Kind
        /// The range in `text` of the cookie's name.
        let cookie: Range<Int>
    }

    /// Capacity of the values that is kept between requests.
    private static let keptBytes = 4096

    private let sources: [PreparedSource]
    /// The names of headers and cookies.
    private let text: [UInt8]
    private var found: [Found]
    /// The values of the sources of a request, one after the other.
    private(set) var bytes: [UInt8] = []

    /// Creates a finder for sources in order.
    init(_ sources: [KeySource]) {
        var text: [UInt8] = []
        func range(_ name: String) -> Range<Int> {
            let start = text.count
            text += Array(name.utf8)
            return start..<text.count
        }
        self.sources = sources.map { source in
            let header = range(source.headerName)
            return switch source {
            case .header: PreparedSource(header: header, kind: .header, cookie: 0..<0)
            case .cookie(let name): PreparedSource(header: header, kind: .cookie, cookie: range(name))
            case .bearer: PreparedSource(header: header, kind: .bearer, cookie: 0..<0)
            }
        }
        self.text = text
        self.found = sources.map { _ in .nothing }
    }

    /// Forgets the previous request.
    mutating func reset() {
        for index in self.found.indices { self.found[index] = .nothing }
        self.bytes.removeAll(keepingCapacity: self.bytes.capacity <= Self.keptBytes)
    }

    /// Reads a header.
    mutating func read(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        for index in self.sources.indices {
            let source = self.sources[index]
            guard ASCIIText.equals(name, self.text.span.extracting(source.header)) else { continue }
            switch source.kind {
            case .header: self.take(value.extracting(ASCIIText.trimmed(value)), at: index)
            case .bearer:
                // Credentials of another scheme are no key, but with a token they are one of two.
                self.take(value.extracting(Self.bearerToken(value) ?? 0..<0), at: index)
            case .cookie: self.readCookies(value, at: index)
            }
        }
    }

    /// The range in `bytes` of the value of the first source that has one; `nil` if there is none or if it has two
    /// different ones.
    var key: Range<Int>? {
        for index in self.found.indices {
            switch self.found[index] {
            case .nothing: continue
            case .conflict: return nil
            case .value(let range):
                if range.isEmpty { continue }
                return Self.isExact(self.bytes.span.extracting(range)) ? range : nil
            }
        }
        return nil
    }

    private mutating func take(_ value: Span<UInt8>, at index: Int) {
        switch self.found[index] {
        // Also if it is empty: together with another value, it is one of two.
        case .nothing:
            let start = self.bytes.count
            // The pointer is used during the call only.
            unsafe value.withUnsafeBufferPointer { unsafe self.bytes.append(contentsOf: $0) }
            self.found[index] = .value(start..<self.bytes.count)
        case .value(let known):
            if !Self.isSame(self.bytes.span.extracting(known), value) { self.found[index] = .conflict }
        case .conflict: break
        }
    }

    /// Source: RFC 6265, section 4.2.1: `name=value; name=value`.
    private mutating func readCookies(_ value: Span<UInt8>, at index: Int) {
        var start = 0
        while start <= value.count {
            var end = start
            while end < value.count, value[end] != UInt8(ascii: ";") { end += 1 }
            self.readCookie(value.extracting(start..<end), at: index)
            start = end + 1
        }
    }

    private mutating func readCookie(_ pair: Span<UInt8>, at index: Int) {
        guard let sign = pair.indices.first(where: { pair[$0] == UInt8(ascii: "=") }) else { return }
        let name = pair.extracting(0..<sign)
        guard self.isCookie(name.extracting(ASCIIText.trimmed(name)), at: index) else { return }
        let value = pair.extracting(sign + 1..<pair.count)
        self.take(value.extracting(ASCIIText.trimmed(value)), at: index)
    }

    private func isCookie(_ name: Span<UInt8>, at index: Int) -> Bool {
        Self.isSame(name, self.text.span.extracting(self.sources[index].cookie))
    }

    /// Returns the range of the token in `Bearer TOKEN`, or `nil` for another scheme.
    private static func bearerToken(_ value: Span<UInt8>) -> Range<Int>? {
        let text = ASCIIText.trimmed(value)
        guard let space = text.first(where: { value[$0] == 0x20 }),
            ASCIIText.equals(value.extracting(text.lowerBound..<space), "bearer")
        else { return nil }
        let rest = space..<text.upperBound
        let token = ASCIIText.trimmed(value.extracting(rest))
        return rest.lowerBound + token.lowerBound..<rest.lowerBound + token.upperBound
    }

    /// Whether a value has the bytes that were sent: the codec replaces bytes that are not UTF-8 by U+FFFD, so that two
    /// different keys could look the same.
    private static func isExact(_ value: Span<UInt8>) -> Bool {
        var previous: (UInt8, UInt8) = (0, 0)
        for index in value.indices {
            if previous == (0xEF, 0xBF), value[index] == 0xBD { return false }
            previous = (previous.1, value[index])
        }
        return true
    }

    private static func isSame(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
        guard one.count == other.count else { return false }
        for index in one.indices where one[index] != other[index] { return false }
        return true
    }
}

/// Comparisons of header names and values.
enum ASCIIText {
    /// The range of a text without spaces and tabs at its ends (OWS in RFC 9110, 5.6.3).
    static func trimmed(_ text: Span<UInt8>) -> Range<Int> {
        var (start, end) = (0, text.count)
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while end > start, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }

    /// The lower case of an ASCII letter.
    @inline(__always)
    static func lower(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }

    /// Whether a text equals a name in lower case.
    @inline(__always)
    static func equals(_ text: Span<UInt8>, _ name: Span<UInt8>) -> Bool {
        guard text.count == name.count else { return false }
        for index in text.indices where Self.lower(text[index]) != name[index] { return false }
        return true
    }

    /// Whether a text equals a word in lower case.
    @inline(__always)
    static func equals(_ text: Span<UInt8>, _ word: StaticString) -> Bool {
        guard text.count == word.utf8CodeUnitCount else { return false }
        for index in text.indices {
            // In bounds: both have the same length.
            let expected = unsafe word.utf8Start[index]
            if Self.lower(text[index]) != expected { return false }
        }
        return true
    }
}
