import RESP
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

/// Reads one reply out of text.
func reply(_ text: String) throws -> RESPReply {
    var reader = RESPReader()
    try Array(text.utf8).withUnsafeBytes { bytes in try reader.feed(bytes) }
    let reply = try reader.next()
    return try #require(reply)
}

/// RESP for a byte string and for a list.
func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }
func list(_ elements: [String]) -> String { "*\(elements.count)\r\n" + elements.joined() }
func entry(_ id: String, _ fields: [String]) -> String { list([bulk(id), list(fields.map(bulk))]) }
func streamReply(_ entries: [String]) -> String { list([list([bulk("s"), list(entries)])]) }

@Suite struct XReadTests {
    private func fill(
        _ batch: EventBatch, _ text: String, after cursor: EntryID = .zero, limit: Int = 10
    ) throws -> XReadReply.Content {
        try XReadReply.fill(batch, from: reply(text), after: cursor, limit: limit)
    }

    /// All fields of an event as text.
    private func fields(_ batch: EventBatch, _ index: Int) -> [String] {
        batch.withEvent(at: index) { event in
            (0..<event.rawFieldCount).flatMap { position in
                [event.text(event.rawField(at: position).name), event.text(event.rawField(at: position).value)]
            }
        }
    }

    @Test("The command carries count, block in whole milliseconds, stream and id")
    func command() {
        let command = XReadCommand("a b", count: 7, block: .microseconds(1999))
        let id = EntryID(milliseconds: 12, sequence: 3)
        #expect(
            command.encoded(after: id)
                == RESPCommand("XREAD", "COUNT", 7, "BLOCK", 1, "STREAMS", "a b", "12-3").encoded())
        let shortest = XReadCommand("s", count: 1, block: .microseconds(1)).encoded(after: .zero)
        #expect(shortest == RESPCommand("XREAD", "COUNT", 1, "BLOCK", 1, "STREAMS", "s", "0-0").encoded())
    }

    @Test("A group's read is the same whatever the id, and waits for whole milliseconds")
    func groupCommand() {
        let commands = GroupCommands(stream: "s", group: "g", consumer: "c")
        let read = XReadCommand("s", commands, count: 7, block: .microseconds(2999))
        #expect(read.block == .milliseconds(2) && read.count == 7)
        let expected = RESPCommand("XREADGROUP", "GROUP", "g", "c", "COUNT", 7, "BLOCK", 2, "STREAMS", "s", ">")
        for id: EntryID in [.zero, .max] { #expect(read.encoded(after: id) == expected.encoded()) }
        #expect(XReadCommand("s", commands, count: 1, block: .microseconds(1)).block == .milliseconds(1))
    }

    @Test(
        "The id is sent unchanged, however many digits it has",
        arguments: [
            EntryID(milliseconds: 9, sequence: 10), EntryID(milliseconds: 1_700_000_000_000, sequence: 0),
            EntryID(milliseconds: 100, sequence: 999), .max,
        ])
    func identifier(_ id: EntryID) {
        let sent = XReadCommand("s", count: 1, block: .milliseconds(1)).encoded(after: id)
        #expect(sent == RESPCommand("XREAD", "COUNT", 1, "BLOCK", 1, "STREAMS", "s", id.description).encoded())
    }

    @Test("Events know whether names are positional, also when the batch is reused")
    func alike() throws {
        let batch = EventBatch()
        let names = [["a", "1", "b", "2"], ["a", "3", "b", "4"]]
        for (second, isScanned) in [
            (names[1], true), (names[1], false), (["b", "3", "a", "4"], true), (names[1], true),
        ] {
            var reader = RESPReader()
            let text = streamReply([entry("1-0", names[0]), entry("2-0", second)])
            try Array(text.utf8).withUnsafeBytes { bytes in try reader.feed(bytes) }
            var scanner = ReplyScanner()
            if isScanned { _ = reader.scan(&scanner) }
            let next = try reader.next()
            let reply = try #require(next)
            _ = try XReadReply.fill(batch, from: reply, after: .zero, limit: 10)
            for index in 0..<2 {
                let areAlike = batch.withEvent(at: index) { event in event.namesGoByPosition }
                #expect(areAlike == (isScanned && second == names[1]))
            }
        }
    }

    @Test("Entries become events with their fields in order, and the batch is reused")
    func entries() throws {
        let batch = EventBatch()
        for round in 0..<3 {
            let content = try self.fill(
                batch,
                streamReply([
                    entry("1-1", ["name", "value \(round)", "name", "é", "empty", ""]), entry("2-0", []),
                    entry("2-1", ["a", "b"]),
                ]))
            #expect(content == .entries(count: 3, last: EntryID(milliseconds: 2, sequence: 1)))
            #expect(batch.count == 3)
            #expect(batch.lastID == EntryID(milliseconds: 2, sequence: 1))
            #expect(self.fields(batch, 0) == ["name", "value \(round)", "name", "é", "empty", ""])
            #expect(self.fields(batch, 1) == [])
            #expect(self.fields(batch, 2) == ["a", "b"])
        }
    }

    @Test("Numbers and simple strings among the fields are read as text")
    func numbers() throws {
        let batch = EventBatch()
        _ = try self.fill(
            batch, streamReply([list([bulk("1-0"), list([bulk("n"), ":42\r\n", "+m\r\n", bulk("v")])])]))
        #expect(self.fields(batch, 0) == ["n", "42", "m", "v"])
    }

    @Test("A null reply means that the block has ended")
    func nothing() throws {
        #expect(try self.fill(EventBatch(), "*-1\r\n") == .nothing)
        #expect(try self.fill(EventBatch(), "$-1\r\n") == .nothing)
    }

    @Test("An error reply is thrown with its meaning")
    func error() {
        let error = #expect(throws: RedisError.self) { try self.fill(EventBatch(), "-WRONGTYPE no\r\n") }
        #expect(error?.code == .wrongType)
    }

    @Test(
        "Any other reply is refused",
        arguments: [
            "+OK\r\n", ":1\r\n", "*0\r\n", list([bulk("s")]), list([list([bulk("s")])]),
            list([list([bulk("s"), "*0\r\n"])]), list([list([bulk("s"), bulk("x")])]),
            streamReply([bulk("1-0")]), streamReply([list([bulk("1-0")])]),
            streamReply([list([bulk("1-0"), bulk("x")])]), streamReply([list([bulk("1-0"), "*-1\r\n"])]),
            streamReply([entry("x", ["a", "b"])]), streamReply([entry("1-0-0", ["a", "b"])]),
            streamReply([entry("1-0", ["a"])]), streamReply([entry("0-0", ["a", "b"])]),
            streamReply([entry("2-0", []), entry("1-0", [])]), streamReply([entry("2-0", []), entry("2-0", [])]),
            streamReply([list([bulk("1-0"), list([bulk("a"), "$-1\r\n"])])]),
            // Only entries that are delivered again may be gone.
            streamReply(["*-1\r\n"]), streamReply([list([bulk("1-0"), "*-1\r\n"])]),
            streamReply([list([bulk("1-0"), list([bulk("a"), list([bulk("b")])])])]),
            streamReply((1...11).map { entry("\($0)-0", []) }),
            list([list([bulk("s"), list([entry("1-0", [])])]), list([bulk("t"), list([entry("1-0", [])])])]),
            list([list([bulk("s"), list([entry("1-0", [])]), bulk("more")])]),
        ])
    func malformed(text: String) {
        let error = #expect(throws: RedisError.self) { try self.fill(EventBatch(), text) }
        #expect(error?.code == .protocolViolation && error?.isTransient == true)
    }

    @Test("An oversized value fails its entry, and other entries and fields are unchanged")
    func tooLong() throws {
        var reader = RESPReader(limits: RESPLimits(bulkBytes: 10))
        reader.setLongValues(.leaveOut)
        let long = String(repeating: "x", count: 11)
        let text = streamReply([
            entry("1-0", ["a", "1"]), entry("2-0", ["a", "2", "big", long, long, "v", "b", "3"]),
            entry("3-0", ["a", "4"]),
        ])
        try Array(text.utf8).withUnsafeBytes { bytes in try reader.feed(bytes) }
        let next = try reader.next()
        let reply = try #require(next)
        let batch = EventBatch()
        batch.stream = "s"
        let content = try XReadReply.fill(batch, from: reply, after: .zero, limit: 3)
        #expect(content == .entries(count: 3, last: EntryID(milliseconds: 3, sequence: 0)))
        batch.prepareCells(fieldCount: 1)
        #expect((0..<3).map { self.fields(batch, $0) } == [["a", "1"], ["a", "2", "b", "3"], ["a", "4"]])
        let failures = (0..<3).map { index in batch.withEvent(at: index) { $0.failure } }
        #expect(failures.map { $0?.reason } == [nil, "value_too_large", nil])
        #expect(
            failures[1]?.message == "field \"big\" of 11 bytes and 1 more left out: the size limit of a value is 64MiB")
    }

    @Test("An entry with an oversized value ends the run if configured")
    func tooLongHalts() throws {
        var reader = RESPReader(limits: RESPLimits(bulkBytes: 10))
        reader.setLongValues(.leaveOut)
        let text = streamReply([entry("7-1", ["big", String(repeating: "x", count: 11)])])
        try Array(text.utf8).withUnsafeBytes { bytes in try reader.feed(bytes) }
        let next = try reader.next()
        let reply = try #require(next)
        let batch = EventBatch()
        batch.stream = "s"
        let error = #expect(throws: RedisError.self) {
            try XReadReply.fill(batch, from: reply, after: .zero, limit: 3, oversized: .halt)
        }
        #expect(error?.code == .valueTooLarge && error?.isTransient == false)
        #expect(error?.message.hasPrefix("entry 7-1 of s: field \"big\" of 11 bytes") == true)
    }

    @Test("The tail is the last entry's id, or zero; never anything the server does not hold")
    func tail() throws {
        let resolution = StartResolution(start: .tail)
        #expect(try resolution.cursor(.array([])) == .zero)
        let last = RESPValue.array([.array([.bulk(Array("5-6".utf8)), .array([])])])
        #expect(try resolution.cursor(last) == EntryID(milliseconds: 5, sequence: 6))
        for answer: RESPValue? in [nil, .null, .integer(1), .array([.null]), .array([.array([.bulk([0x24])])])] {
            #expect(throws: RedisError.self) { try resolution.cursor(answer) }
        }
    }

    @Test("A relative time is counted from the server's clock")
    func back() throws {
        let resolution = StartResolution(start: .back(.seconds(1)))
        let answer = RESPValue.array([.bulk(Array("100".utf8)), .bulk(Array("999999".utf8))])
        #expect(try resolution.cursor(answer) == EntryID(milliseconds: 99998, sequence: .max))
        for parts: [RESPValue] in [
            [], [.null, .null], [.integer(-1), .integer(0)], [.integer(1), .integer(1_000_000)],
        ] {
            #expect(throws: RedisError.self) { try resolution.cursor(.array(parts)) }
        }
    }

    @Test("The beginning and an id need no query")
    func noQuestion() throws {
        let id = EntryID(milliseconds: 1, sequence: 2)
        #expect(try StartResolution(start: .beginning).cursor(nil) == .zero)
        #expect(try StartResolution(start: .after(id)).cursor(nil) == id)
    }
}

@Suite struct RevocationTests {
    private let id = EntryID(milliseconds: 1, sequence: 2)

    @Test(
        "The message is JSON, whatever the key",
        arguments: [
            (Array("ds-1".utf8), "{\"key\":\"ds-1\",\"entry\":\"1-2\"}"),
            (Array("a\"\\\n\u{1}é".utf8), "{\"key\":\"a\\\"\\\\\\n\\u0001é\",\"entry\":\"1-2\"}"),
            ([], "{\"key\":\"\",\"entry\":\"1-2\"}"),
            ([0xFF], "{\"key_b64\":\"/w==\",\"entry\":\"1-2\"}"),
            ([0xFF, 0x00], "{\"key_b64\":\"/wA=\",\"entry\":\"1-2\"}"),
            ([0xFF, 0x00, 0x10], "{\"key_b64\":\"/wAQ\",\"entry\":\"1-2\"}"),
        ])
    func json(key: [UInt8], text: String) {
        #expect(String(decoding: Revocation(key: key, entry: self.id).json, as: UTF8.self) == text)
    }

    @Test("A stream gets the key's bytes unchanged")
    func stream() {
        let command = Revocation(key: [0xFF], entry: self.id).command(to: .stream("s", maxLength: 5))
        #expect(command == RESPCommand("XADD", "s", "MAXLEN", "~", 5, "*", "key", [0xFF], "entry", "1-2"))
    }
}
