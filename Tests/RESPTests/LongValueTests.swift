import Testing
import TextSupport

@testable import RESP

/// Byte strings that are longer than the limits, and left out.
@Suite struct LongValueTests {
    private static let limits = RESPLimits(bulkBytes: 8, replyBytes: 40)

    /// Reads a stream in pieces of so many bytes.
    private func read(
        _ wire: String, pieces: Int, _ longValues: RESPReader.LongValues = .leaveOut, limits: RESPLimits = limits
    ) throws(RESPError) -> (values: [RESPValue], held: Int, isMarked: [Bool]) {
        var reader = RESPReader(limits: limits)
        reader.setLongValues(longValues)
        var (values, held, isMarked): ([RESPValue], Int, [Bool]) = ([], 0, [])
        var rest = Array(wire.utf8)[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            try feed(piece, to: &reader)
            while let reply = try reader.next() {
                values.append(reply.value())
                isMarked.append(reply.hasLongValues)
                reader.recycle(reply)
            }
            held = max(held, reader.heldBytes)
        }
        return (values, held, isMarked)
    }

    private func bulk(_ text: String) -> RESPValue { .bulk(Array(text.utf8)) }

    @Test(
        "A byte string that is too long is left out, at any position and however it arrives",
        arguments: [1, 2, 3, 5, 7, 11, 64, 1000])
    func leftOut(pieces: Int) throws {
        let long = String(repeating: "x", count: 100)
        let wire =
            "*4\r\n$1\r\na\r\n$100\r\n\(long)\r\n:5\r\n*2\r\n$9\r\n123456789\r\n$8\r\n12345678\r\n"
            + "$100\r\n\(long)\r\n+OK\r\n$-1\r\n*1\r\n$100\r\n\(long)\r\n"
        let read = try self.read(wire, pieces: pieces)
        #expect(
            read.values == [
                .array([
                    self.bulk("a"), .tooLong(100), .integer(5), .array([.tooLong(9), self.bulk("12345678")]),
                ]),
                .tooLong(100), .simpleString(Array("OK".utf8)), .null, .array([.tooLong(100)]),
            ])
        #expect(read.isMarked == [true, true, false, false, true])
    }

    @Test("Bytes that are left out are never stored")
    func memory() throws {
        let long = String(repeating: "x", count: 4_000_000)
        let read = try self.read("*2\r\n$4000000\r\n\(long)\r\n$1\r\na\r\n", pieces: 1000)
        #expect(read.values == [.array([.tooLong(4_000_000), self.bulk("a")])])
        #expect(read.held < 50_000)
    }

    @Test("By default a reader refuses a byte string that is too long", arguments: [1, 1000])
    func refused(pieces: Int) throws {
        let error = #expect(throws: RESPError.self) {
            _ = try self.read("$9\r\n123456789\r\n", pieces: pieces, .refuse)
        }
        #expect(error?.kind == .limitExceeded(.bulkBytes))
    }

    @Test(
        "A byte string beyond the reply's limit is left out if configured, and refused otherwise",
        arguments: [1, 7, 1000])
    func fits(pieces: Int) throws {
        let values = (0..<9).map { "$8\r\nvalue-0\($0)\r\n" }.joined()
        let wire = "*9\r\n\(values)+OK\r\n"
        let read = try self.read(wire, pieces: pieces, .leaveOutToFit)
        let array = read.values.first?.array ?? []
        #expect(array.count == 9 && array.first == self.bulk("value-00") && array.last == .tooLong(8))
        #expect(read.values.last == .simpleString(Array("OK".utf8)))
        let error = #expect(throws: RESPError.self) { _ = try self.read(wire, pieces: pieces, .leaveOut) }
        #expect(error?.kind == .limitExceeded(.replyBytes))
    }

    @Test(
        "A byte string that is left out must have its announced length",
        arguments: ["$9\r\n123456789xx", "$9\r\n123456789\rx", "$9\r\n1234567890\r\n"], [1, 4, 1000])
    func unterminated(wire: String, pieces: Int) {
        let error = #expect(throws: RESPError.self) { _ = try self.read(wire, pieces: pieces) }
        #expect(error?.kind == .protocolViolation)
    }

    @Test("Lengths beyond what any server sends end the stream", arguments: ["9223372036854775807", "1073741825"])
    func absurd(length: String) {
        let error = #expect(throws: RESPError.self) { _ = try self.read("$\(length)\r\nabc", pieces: 3) }
        #expect(error?.kind == .limitExceeded(.bulkBytes))
    }

    @Test("Streams of random values are read as written, however they are split", arguments: 0..<4)
    func random(seed: Int) throws {
        var random = SplitMix64(state: UInt64(seed))
        for _ in 0..<500 {
            var (wire, expected): (String, [RESPValue]) = ("", [])
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let (text, value) = Self.value(&random, depth: 0)
                wire += text
                expected.append(value)
            }
            let pieces = Int.random(in: 1...30, using: &random)
            let limits = RESPLimits(bulkBytes: 8)
            #expect(try self.read(wire, pieces: pieces, limits: limits).values == expected, "\(wire) by \(pieces)")
        }
    }

    private static func value(_ random: inout SplitMix64, depth: Int) -> (String, RESPValue) {
        switch Int.random(in: 0..<(depth < 3 ? 5 : 4), using: &random) {
        case 0: return (":7\r\n", .integer(7))
        case 1: return ("$-1\r\n", .null)
        case 2, 3:
            let length = Int.random(in: 0...24, using: &random)
            let text = String((0..<length).map { _ in "\r\n$*-1a".randomElement(using: &random) ?? "a" })
            let bytes = Array(text.utf8)
            return ("$\(bytes.count)\r\n\(text)\r\n", bytes.count > 8 ? .tooLong(bytes.count) : .bulk(bytes))
        default:
            let parts = (0..<Int.random(in: 0...4, using: &random)).map { _ in self.value(&random, depth: depth + 1) }
            return ("*\(parts.count)\r\n" + parts.map(\.0).joined(), .array(parts.map(\.1)))
        }
    }
}
