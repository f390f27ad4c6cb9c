/// What the received bytes of a connection begin with.
enum PlainRequest: Equatable, Sendable {
    /// A complete plain request with this number of bytes.
    case complete(Int)
    /// The beginning of what may become a plain request.
    case partial
    /// Anything else, which SwiftNIO's codec has to read.
    case other
}

// Plain requests are read without the codec, which makes a string of every name and value: half of the cost of a
// request. A plain request is what a gateway normally sends: HTTP/1.1 with a common method, an absolute path of usual
// characters, headers in ASCII, no body, and nothing that concerns the connection. The rules are stricter than those of
// the codec at every point, so that both find the same key and the same end of a request. The codec reads what does not
// meet them.
extension HTTPDoor {
    /// The methods, with the space behind them.
    private static let methods: [StaticString] = [
        "GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "PATCH ", "OPTIONS ",
    ]
    private static let version: StaticString = " HTTP/1.1\r\n"

    /// Reads the headers of a plain request.
    mutating func readPlain(_ bytes: Span<UInt8>) -> PlainRequest {
        self.begin()
        var position = 0
        var progress = Self.readLine(bytes, &position)
        var headers = 0
        var hasLength = false
        while progress == .next {
            guard position < bytes.count else {
                progress = .partial
                break
            }
            if bytes[position] == 0x0D {
                progress = Self.skip("\r\n", bytes, &position)
                guard progress == .next else { break }
                return position <= GatewayLimits.plainBytes ? .complete(position) : .other
            }
            headers += 1
            guard headers <= GatewayLimits.headerCount else { return .other }
            progress = self.readPlainHeader(bytes, &position, &hasLength)
        }
        // A longer head may exceed one of the codec's limits.
        return progress == .partial && bytes.count < GatewayLimits.plainBytes ? .partial : .other
    }

    private enum Progress {
        case next, partial, other
    }

    /// Reads the request line.
    private static func readLine(_ bytes: Span<UInt8>, _ position: inout Int) -> Progress {
        var progress = Progress.other
        for method in self.methods {
            progress = self.skip(method, bytes, &position)
            if progress != .other { break }
        }
        guard progress == .next else { return progress }
        let start = position
        while position < bytes.count, self.isInTarget(bytes[position]) { position += 1 }
        if position > start, bytes[start] != UInt8(ascii: "/") { return .other }
        if position == bytes.count { return .partial }
        if position == start { return .other }
        return self.skip(self.version, bytes, &position)
    }

    /// Reads a line with a header.
    private mutating func readPlainHeader(
        _ bytes: Span<UInt8>, _ position: inout Int, _ hasLength: inout Bool
    ) -> Progress {
        let start = position
        while position < bytes.count, Self.isInName(bytes[position]) { position += 1 }
        guard position < bytes.count else { return .partial }
        guard position > start, bytes[position] == UInt8(ascii: ":") else { return .other }
        let name = bytes.extracting(start..<position)
        position += 1
        let valueStart = position
        while position < bytes.count, Self.isInValue(bytes[position]) { position += 1 }
        let line = bytes.extracting(valueStart..<position)
        let value = line.extracting(ASCIIText.trimmed(line))
        let progress = Self.skip("\r\n", bytes, &position)
        guard progress == .next else { return progress }
        switch self.readHeader(name, value) {
        case nil, .token: return .next
        case .connection: return ASCIIText.equals(value, "keep-alive") ? .next : .other
        case .contentLength:
            guard !hasLength, value.count == 1, value[0] == UInt8(ascii: "0") else { return .other }
            hasLength = true
            return .next
        case .expect, .proxyConnection, .transferEncoding, .upgrade: return .other
        }
    }

    /// Skips a text that must come next.
    private static func skip(_ text: StaticString, _ bytes: Span<UInt8>, _ position: inout Int) -> Progress {
        let length = text.utf8CodeUnitCount
        let count = min(length, bytes.count - position)
        for index in 0..<count {
            // In bounds: `count` is at most the length of the text.
            let expected = unsafe text.utf8Start[index]
            if bytes[position + index] != expected { return .other }
        }
        guard count == length else { return .partial }
        position += length
        return .next
    }

    /// Printable characters that need no quoting in a path or query, and `[` and `]`.
    @inline(__always)
    private static func isInTarget(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            // The digits with `-`, `.`, `/` below and `:`, `;` above them.
            UInt8(ascii: "-")...UInt8(ascii: ";"),
            // `$`, `%`, `&`, `'`, `(`, `)`, `*`, `+`, `,`.
            UInt8(ascii: "$")...UInt8(ascii: ","),
            UInt8(ascii: "!"), UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "@"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Letters, digits, `-` and `_`, of which the names of headers consist.
    @inline(__always)
    private static func isInName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// Printable ASCII, spaces and tabs.
    @inline(__always)
    private static func isInValue(_ byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x7F || byte == 0x09 }
}
