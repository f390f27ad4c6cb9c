import RESP
import Testing

/// RESP for a byte string, a list, and the reply to a read of one stream.
private func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }
private func list(_ elements: [String]) -> String { "*\(elements.count)\r\n" + elements.joined() }
private func streamReply(_ entries: [(id: String, fields: [String])]) -> String {
    list([list([bulk("s"), list(entries.map { list([bulk($0.id), list($0.fields.map(bulk))]) })])])
}

@Suite struct ReplyScannerTests {
    /// What a scanner says of each beginning of some bytes, shown one byte more each time.
    private func steps(_ text: String) -> [ReplyScanner.Progress] {
        let bytes = Array(text.utf8)
        var scanner = ReplyScanner()
        return (0...bytes.count).map { count in
            bytes[..<count].withUnsafeBytes { scanner.scan($0) }
        }
    }

    /// The id that a scanner finds in a whole reply, with the number of entries.
    private func outline(_ text: String) -> (entries: Int, last: String)? {
        var scanner = ReplyScanner()
        let bytes = Array(text.utf8)
        let progress = bytes.withUnsafeBytes { scanner.scan($0) }
        guard case .whole(_, let entries, let last) = progress else { return nil }
        return (entries, String(decoding: bytes[last], as: UTF8.self))
    }

    @Test("The end and the last id are found with the last byte, not before, however the bytes arrive")
    func whole() throws {
        let reply = streamReply([
            ("1-1", ["a", "b"]), ("1700000000000-12", []), ("1700000000001-0", ["", "$9\r\n*3\r\n", "x", "y"]),
        ])
        let steps = self.steps(reply)
        #expect(steps.dropLast().allSatisfy { $0 == .more })
        let found = try #require(self.outline(reply))
        #expect(found == (3, "1700000000001-0"))
        guard case .whole(_, 3, _)? = steps.last else { throw Issue("the last byte does not end the reply") }
    }

    /// Entries that differ from the first in one way or another, which a scanner must notice.
    static let shapes: [[(id: String, fields: [String])]] = [
        // The same names, values of other lengths: none, one digit, two, three.
        (0..<6).map { ("\($0)-0", ["device", String(repeating: "v", count: [1, 0, 9, 10, 99, 100][$0]), "to", ""]) },
        // Fewer and more fields than the first.
        [("1-0", ["alpha", "1"]), ("2-0", ["alpha", "1", "beta", "2"]), ("3-0", []), ("4-0", ["alpha", "1"])],
        [("1-0", []), ("2-0", ["alpha", "1"]), ("3-0", ["alpha", "1", "beta", "2"])],
        // Other names, of the same length and of another, and in another order.
        [
            ("1-0", ["alpha", "1", "beta", "2"]), ("2-0", ["alphb", "1", "beta", "2"]),
            ("3-0", ["a", "1", "betas", "2"]),
        ],
        [("1-0", ["alpha", "1", "beta", "2"]), ("2-0", ["beta", "2", "alpha", "1"])],
        // The same names as far as they go, in entries that grow and shrink, up to the limit and beyond.
        [2, 1, 3, 2, 5, 0, 5].enumerated().map { id, count in
            ("\(id + 1)-0", (0..<count).flatMap { ["name\($0)", "\(id)"] })
        },
        [("1-0", ["alpha", "1"]), ("2-0", ["alpha", "1", "beta", "2"]), ("3-0", ["alpha", "1", "gamma", "2"])],
        (15...17).map { count in ("\(count)-0", (1...count).flatMap { ["n\($0)", "v"] }) },
        // Names of every length around those that are compared in words: 17 and more digits need another header.
        (1...3).map { id in ("\(id)-0", (1...16).flatMap { [String(repeating: "n", count: $0), "\(id * $0)"] }) },
        (1...3).map { id in ("\(id)-0", (17...40).flatMap { [String(repeating: "n", count: $0), "\(id * $0)"] }) },
        // Names that differ in one byte, wherever it is.
        (0..<24).map { place in
            let name = String((0..<24).map { $0 == place ? "X" : "n" })
            return ("\(place + 1)-0", [name, "v"])
        },
        // Values that look like what stands around them.
        (1...3).map { ("\($0)-0", ["alpha", "\r\n$5\r\nalpha\r\n$1\r\n", "beta", "*2\r\n$3\r\n9-9\r\n*0\r\n"]) },
        // Ids of other lengths.
        [
            ("1-0", ["a", "b"]), ("17000000000000-1", ["a", "b"]),
            ("18446744073709551615-18446744073709551615", ["a", "b"]),
        ],
    ]

    @Test(
        "The end and id are found for entries of the same and of other shapes, however the bytes arrive",
        arguments: shapes.indices)
    func shaped(_ index: Int) throws {
        let entries = Self.shapes[index]
        let reply = streamReply(entries)
        let steps = self.steps(reply)
        #expect(steps.dropLast().allSatisfy { $0 == .more })
        let bytes = Array(reply.utf8)
        var scanner = ReplyScanner()
        let atOnce = bytes.withUnsafeBytes { scanner.scan($0) }
        for progress in [atOnce, try #require(steps.last)] {
            guard case .whole(let length, let count, let last) = progress else { throw Issue("not whole: \(progress)") }
            #expect((length, count) == (bytes.count, entries.count))
            #expect(String(decoding: bytes[last], as: UTF8.self) == entries.last?.id)
        }
    }

    /// Whether fields at the same position have the same name, and these are no more and no longer than are compared.
    private func goByPosition(_ entries: [(id: String, fields: [String])]) -> Bool {
        let names = entries.map { entry in
            entry.fields.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
        }
        let longest = names.max { $0.count < $1.count } ?? []
        return longest.count <= 16 && longest.allSatisfy { (1...24).contains($0.utf8.count) }
            && names.allSatisfy { longest.starts(with: $0) }
    }

    @Test("Positional names are distinguished from others, in pieces of any length", arguments: shapes.indices)
    func alike(_ index: Int) throws {
        let entries = Self.shapes[index]
        let bytes = Array(streamReply(entries).utf8)
        for length in [1, 2, 3, 7, 40, 150, bytes.count] {
            var scanner = ReplyScanner()
            var progress = ReplyScanner.Progress.more
            for end in stride(from: length, through: bytes.count + length - 1, by: length) {
                progress = bytes.prefix(end).withUnsafeBytes { scanner.scan($0) }
            }
            guard case .whole = progress else { throw Issue("not whole: \(progress)") }
            #expect(scanner.namesGoByPosition == self.goByPosition(entries), "in pieces of \(length)")
        }
    }

    @Test("A partial entry is rescanned only while it is short")
    func repeated() throws {
        for (length, isAlike) in [(60_000, true), (70_000, false)] {
            let long = String(repeating: "v", count: length)
            let reply = streamReply([("1-0", ["alpha", "1", "beta", "2"]), ("2-0", ["alpha", long, "beta", "2"])])
            let bytes = Array(reply.utf8)
            var scanner = ReplyScanner()
            #expect(bytes.dropLast(3).withUnsafeBytes { scanner.scan($0) } == .more)
            guard case .whole(bytes.count, 2, _) = bytes.withUnsafeBytes({ scanner.scan($0) }) else {
                throw Issue("not whole")
            }
            #expect(scanner.namesGoByPosition == isAlike)
        }
    }

    @Test("A scanned reply knows whether its names are positional, and the next reply does not")
    func alikeReply() throws {
        var reader = RESPReader()
        let alike = Array(streamReply([("7-1", ["a", "b"]), ("7-2", ["a", "d"])]).utf8)
        let unlike = Array(streamReply([("7-1", ["a", "b"]), ("7-2", ["c", "d"])]).utf8)
        for (bytes, isScanned, expected) in [
            (alike, true, true), (alike, false, false), (unlike, true, false), (alike, true, true),
            (unlike, false, false),
        ] {
            try bytes.withUnsafeBytes { bytes in try reader.feed(bytes) }
            var scanner = ReplyScanner()
            if isScanned { _ = reader.scan(&scanner) }
            let reply = try #require(try reader.next())
            #expect(reply.namesGoByPosition == expected)
            reader.recycle(reply)
        }
    }

    @Test(
        "A malformed entry after the first is detected like one anywhere",
        arguments: [
            "*3\r\n$3\r\n2-0\r\n*0\r\n*0\r\n", "*2\r\n$3\r\n2-0\r\n$1\r\nx\r\n", "*2\r\n$3\r\n2-0\r\n*-1\r\n", ":2\r\n",
            "*2\r\n$-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\na\r\n:1\r\n",
            "*2\r\n$3\r\n2-0\r\n*2\r\n$5\r\nalpha\r\n$-1\r\n", "*2\r\n$3\r\n2-0\r\n*2\r\n$5\r\nalpha\r\n*0\r\n",
        ])
    func otherBehind(_ entry: String) {
        let first = "*2\r\n$3\r\n1-0\r\n*2\r\n$5\r\nalpha\r\n$1\r\n1\r\n"
        let reply = "*1\r\n*2\r\n$1\r\ns\r\n*2\r\n" + first + entry
        #expect(self.steps(reply).last == .other)
    }

    @Test("Bytes after the reply are not consumed")
    func behind() throws {
        let reply = streamReply([("5-0", ["a", "b"])])
        let found = try #require(self.outline(reply + "+OK\r\n"))
        #expect(found == (1, "5-0"))
    }

    @Test(
        "Other replies than lists of entries are detected immediately, and read as they arrive",
        arguments: [
            "*-1\r\n", "$-1\r\n", "-ERR no\r\n", "+OK\r\n", ":1\r\n", "*1\r\n:1\r\n", "*0\r\n", "$2\r\nok\r\n",
            "*1\r\n*2\r\n$1\r\ns\r\n*-1\r\n", "*1\r\n*2\r\n$1\r\ns\r\n*0\r\n", "$12345678901\r\n", "*x\r\n", "$1\rx",
            "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n$1\r\nx\r\n", "%1\r\n",
        ])
    func other(_ text: String) {
        #expect(self.steps(text).last == .other)
        #expect(self.steps(text).dropLast().allSatisfy { $0 == .more || $0 == .other })
    }

    @Test("A reply longer than the scan limit is read as it arrives")
    func long() {
        #expect(self.steps("*1\r\n*2\r\n$5000000\r\n").last == .other)
    }

    @Test("A reader exposes unread bytes and still reads them afterwards")
    func reader() throws {
        let reply = Array(streamReply([("7-1", ["a", "b"]), ("7-2", ["c", "d"])]).utf8)
        var reader = RESPReader()
        var scanner = ReplyScanner()
        for byte in reply.dropLast() {
            try [byte].withUnsafeBytes { bytes in try reader.feed(bytes) }
            #expect(reader.scan(&scanner) == .more)
        }
        try reply.suffix(1).withUnsafeBytes { bytes in try reader.feed(bytes) }
        #expect(reader.unreadBytes == reply.count)
        guard case .whole(_, 2, let last) = reader.scan(&scanner) else { throw Issue("the reply is not whole") }
        #expect(reader.withUnread(last) { $0.count } == 3)
        #expect(Array(reply[last]) == Array("7-2".utf8))
        #expect(reader.withUnread(last.lowerBound..<reply.count + 1) { $0.count } == nil)
        let whole = try #require(try reader.next())
        #expect(whole.count == 14)
        #expect(reader.unreadBytes == 0)
    }
}

@Suite struct ReadInPlaceTests {
    /// The values of a reply as text, and what each is.
    private func values(_ reply: RESPReply) -> [String] {
        (0..<reply.count).map { index in
            let token = reply[index]
            return token.kind.isAggregate ? "\(token.kind) \(token.length)" : "\(token.kind) \(reply.string(of: token))"
        }
    }

    /// Reads a reply that may be shown to a scanner first.
    private func read(_ text: String, scanned: Bool) throws -> [String] {
        var reader = RESPReader()
        try Array(text.utf8).withUnsafeBytes { try reader.feed($0) }
        if scanned {
            var scanner = ReplyScanner()
            guard case .whole = reader.scan(&scanner) else { throw Issue("the reply is not whole") }
        }
        var found: [String] = []
        while let reply = try reader.next() { found += self.values(reply) + ["|"] }
        return found
    }

    @Test(
        "A completely scanned reply is read like any other, and so are later ones",
        arguments: [
            streamReply([("1-1", ["a", "b"])]),
            streamReply([("1-1", []), ("1-2", ["", ""]), ("1-3", ["x", "$3\r\n*1\r\n", "\r\n", "y"])]),
            streamReply([("7-0", ["name", String(repeating: "v", count: 70_000)])]),
            streamReply((1...300).map { ("\($0)-0", ["device", "d\($0)", "status", "active"]) }),
            streamReply([("1-1", ["a", "b"])]) + "+OK\r\n:12\r\n" + streamReply([("1-2", ["c", "d"])]),
        ])
    func same(_ text: String) throws {
        #expect(try self.read(text, scanned: true) == self.read(text, scanned: false))
    }

    @Test("A value over its limit is refused by the scanner as well")
    func limits() throws {
        var reader = RESPReader(limits: RESPLimits(bulkBytes: 16))
        try Array(streamReply([("1-1", ["a", String(repeating: "v", count: 17)])]).utf8).withUnsafeBytes {
            try reader.feed($0)
        }
        var scanner = ReplyScanner()
        _ = reader.scan(&scanner)
        #expect(throws: RESPError.self) { _ = try reader.next() }
    }
}

/// A test's own words for what went wrong.
private struct Issue: Error {
    let text: String
    init(_ text: String) { self.text = text }
}
