import Testing

@testable import RESP

@Suite struct RESPLimitsTests {
    /// A stream that breaks a limit, what it says, and the longest stream beside it that does not.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: RESPLimits.Name
        let limits: RESPLimits
        let wire: String
        let message: String
        let allowed: String

        var testDescription: String { "\(self.name) \(self.wire.prefix(20).debugDescription)" }
    }

    static let cases: [Case] = [
        Case(
            name: .bulkBytes, limits: RESPLimits(bulkBytes: 4), wire: "$5\r\nabcde\r\n",
            message: "reply 1, value 1: byte string of 5 bytes, the limit is 4 (bulkBytes)", allowed: "$4\r\nabcd\r\n"),
        Case(
            name: .bulkBytes, limits: RESPLimits(), wire: "$9223372036854775807\r\n",
            message: "reply 1, value 1: byte string of 9223372036854775807 bytes, the limit is 67108864 (bulkBytes)",
            allowed: "$67108864\r\n"),
        Case(
            name: .bulkBytes, limits: RESPLimits(), wire: "*2\r\n:1\r\n$67108865\r\n",
            message: "reply 1, value 3: byte string of 67108865 bytes, the limit is 67108864 (bulkBytes)",
            allowed: "*2\r\n:1\r\n$1\r\na\r\n"),
        Case(
            name: .arrayElements, limits: RESPLimits(arrayElements: 2), wire: "*3\r\n",
            message: "reply 1, value 1: aggregate of 3 elements, the limit is 2 (arrayElements)", allowed: "*2\r\n"),
        Case(
            name: .arrayElements, limits: RESPLimits(), wire: "*2147483647\r\n",
            message: "reply 1, value 1: aggregate of 2147483647 elements, the limit is 1048576 (arrayElements)",
            allowed: "*1048576\r\n"),
        Case(
            name: .replyTokens, limits: RESPLimits(replyTokens: 5), wire: "*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n",
            message: "reply 1, value 5: reply of 6 values or more, the limit is 5 (replyTokens)",
            allowed: "*2\r\n*2\r\n:1\r\n:2\r\n*0\r\n"),
        Case(
            name: .replyBytes, limits: RESPLimits(replyBytes: 5), wire: "*2\r\n+abc\r\n+def\r\n",
            message: "reply 1, value 3: reply of 6 bytes or more, the limit is 5 (replyBytes)",
            allowed: "*2\r\n+abc\r\n+de\r\n"),
        Case(
            name: .replyBytes, limits: RESPLimits(replyBytes: 5), wire: "*2\r\n:-12\r\n$3\r\n",
            message: "reply 1, value 3: reply of 6 bytes or more, the limit is 5 (replyBytes)",
            allowed: "*2\r\n:-12\r\n$2\r\n"),
        Case(
            name: .nesting, limits: RESPLimits(nesting: 2), wire: "*1\r\n*1\r\n*0\r\n",
            message: "reply 1, value 3: aggregates nested 3 deep, the limit is 2 (nesting)",
            allowed: "*1\r\n*1\r\n:1\r\n"),
        Case(
            name: .nesting, limits: RESPLimits(), wire: String(repeating: "*1\r\n", count: 9),
            message: "reply 1, value 9: aggregates nested 9 deep, the limit is 8 (nesting)",
            allowed: String(repeating: "*1\r\n", count: 8)),
    ]

    @Test("A limit is enforced at the header, and a reply exactly at the limit is read", arguments: cases, Cut.allCases)
    func limit(limit: Case, cut: Cut) {
        let error = readError(Array(limit.wire.utf8), cut: cut, limits: limit.limits)
        #expect(error == RESPError(.limitExceeded(limit.name), limit.message))
        #expect(readError(Array(limit.allowed.utf8), cut: cut, limits: limit.limits) == nil)
    }

    @Test("An endless line is refused", arguments: ["+", "-", ":", "$", "*", "*1\r\n+"])
    func endlessLine(start: String) {
        let limits = RESPLimits(lineBytes: 100)
        let kept = Array((start + String(repeating: "1", count: 100)).utf8)
        for cut in Cut.allCases {
            #expect(readError(kept, cut: cut, limits: limits) == nil)
            let error = readError(kept + [0x31, 0x31, 0x31], cut: cut, limits: limits)
            #expect(error?.kind == .limitExceeded(.lineBytes))
            #expect(error?.message.hasSuffix("bytes or more, the limit is 100 (lineBytes)") == true)
        }
    }

    @Test("A complete line has the same limit")
    func longLine() {
        let limits = RESPLimits(lineBytes: 3)
        #expect(readError(Array("+abc\r\n-abc\r\n".utf8), limits: limits) == nil)
        let message = "reply 1, value 1: line of 4 bytes or more, the limit is 3 (lineBytes)"
        #expect(readError(Array("+abcd\r\n".utf8), limits: limits)?.message == message)
        #expect(readError(Array("-abcd\r\n".utf8), limits: limits)?.message == message)
    }

    @Test("Unread input beyond the limit is refused")
    func pendingInput() throws {
        var reader = RESPReader(limits: RESPLimits(pendingBytes: 10))
        try feed(Array("+OK\r\n".utf8), to: &reader)
        try feed(Array("+OK\r\n".utf8), to: &reader)
        let error = #expect(throws: RESPError.self) { try Self.fill([0x2B], &reader) }
        #expect(error?.kind == .limitExceeded(.pendingBytes))
        #expect(
            error?.message
                == "reply 1, value 1: 1 bytes fed on top of 10 not yet read, the limit is 10 (pendingBytes)")
    }

    private static func fill(_ bytes: [UInt8], _ reader: inout RESPReader) throws(RESPError) {
        try feed(bytes, to: &reader)
    }

    @Test("Large announced lengths allocate nothing")
    func announcements() throws {
        var reader = RESPReader()
        let wire = String(repeating: "*1000000\r\n", count: 7) + "$67108864\r\nabc"
        let values = try readAll(Array(wire.utf8), from: &reader)
        #expect(values.isEmpty)
        let held = reader.heldBytes
        #expect(held < 1 << 16)
    }

    @Test("Limits are clamped to the hard bounds")
    func hardBounds() {
        let wide = RESPLimits(
            bulkBytes: .max, lineBytes: .max, arrayElements: .max, replyTokens: .max, replyBytes: .max, nesting: .max,
            pendingBytes: .max)
        for name in [RESPLimits.Name.bulkBytes, .lineBytes, .replyBytes, .pendingBytes] {
            #expect(wide[name] == RESPLimits.maximumBytes)
        }
        #expect(wide[.arrayElements] == Int(Int32.max) && wide[.replyTokens] == Int(Int32.max))
        #expect(wide[.nesting] == RESPLimits.maximumNesting)
        #expect(RESPLimits(nesting: -1).nesting == 0)
        #expect(readError(Array("*0\r\n".utf8), limits: RESPLimits(nesting: 0))?.kind == .limitExceeded(.nesting))
    }

    @Test("The defaults accept an XREAD reply of 100000 entries")
    func defaultsFit() throws {
        let count = 100_000
        let entry = "*2\r\n$3\r\n1-1\r\n*10\r\n" + String(repeating: "$1\r\na\r\n", count: 10)
        var reader = RESPReader()
        try feed(Array(("*1\r\n*2\r\n+s\r\n*\(count)\r\n" + String(repeating: entry, count: count)).utf8), to: &reader)
        let reply = try #require(try reader.next())
        #expect(reply.count == 4 + count * 13)
        #expect(reply.index(after: 0) == reply.count)
    }
}
