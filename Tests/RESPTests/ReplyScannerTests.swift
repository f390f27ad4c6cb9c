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

    @Test("The end and the last id are found with the last byte, not before, however the bytes come")
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

    @Test("Bytes behind the reply are left alone")
    func behind() throws {
        let reply = streamReply([("5-0", ["a", "b"])])
        let found = try #require(self.outline(reply + "+OK\r\n"))
        #expect(found == (1, "5-0"))
    }

    @Test(
        "What is not a list of entries is told at once, so that it is read as it comes",
        arguments: [
            "*-1\r\n", "$-1\r\n", "-ERR no\r\n", "+OK\r\n", ":1\r\n", "*1\r\n:1\r\n", "*0\r\n", "$2\r\nok\r\n",
            "*1\r\n*2\r\n$1\r\ns\r\n*-1\r\n", "*1\r\n*2\r\n$1\r\ns\r\n*0\r\n", "$12345678901\r\n", "*x\r\n", "$1\rx",
            "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n$1\r\nx\r\n", "%1\r\n",
        ])
    func other(_ text: String) {
        #expect(self.steps(text).last == .other)
        #expect(self.steps(text).dropLast().allSatisfy { $0 == .more || $0 == .other })
    }

    @Test("A reply longer than is waited for is read as it comes")
    func long() {
        #expect(self.steps("*1\r\n*2\r\n$5000000\r\n").last == .other)
    }

    @Test("A reader shows what it has not read, and reads it afterwards all the same")
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
        "A reply that a scanner has seen to its end is read as any other, and so are those behind it",
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

    @Test("A value over its limit is refused in place as well")
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
