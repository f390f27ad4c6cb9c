import Testing

@testable import RESP

@Suite struct RESPReaderTests {
    @Test("A reply reads the same in one piece, byte by byte and in threes", arguments: samples, Cut.allCases)
    func reads(sample: Sample, cut: Cut) throws {
        var reader = RESPReader()
        let values = try readAll(sample.wire, cut: cut, from: &reader)
        #expect(values == [sample.value])
    }

    @Test("Many replies in one stream come out in order, each on its own", arguments: Cut.allCases)
    func readsMany(cut: Cut) throws {
        var reader = RESPReader()
        for _ in 0..<2 {
            let values = try readAll(samples.flatMap(\.wire), cut: cut, from: &reader)
            #expect(values == samples.map(\.value))
        }
    }

    @Test("An incomplete reply is neither a reply nor an error")
    func needsMore() throws {
        for sample in samples where sample.wire.count < 1000 {
            var reader = RESPReader()
            let values = try readAll(Array(sample.wire.dropLast()), cut: .byteByByte, from: &reader)
            #expect(values.isEmpty)
            try feed([0x0A], to: &reader)
            let reply = try reader.next()
            #expect(reply?.value() == sample.value)
        }
    }

    @Test("Without input there is no reply")
    func nothing() throws {
        var reader = RESPReader()
        let first = try reader.next() == nil
        try feed([], to: &reader)
        let second = try reader.next() == nil
        #expect(first && second)
    }

    @Test(
        "RESP3 types are read if the library supports them", .enabled(if: RESPReader.readsRESP3),
        arguments: Cut.allCases)
    func readsRESP3(cut: Cut) throws {
        var reader = RESPReader()
        let wire =
            "*8\r\n,-1.5\r\n#t\r\n#f\r\n_\r\n%1\r\n+k\r\n:1\r\n~2\r\n:1\r\n:2\r\n"
            + "=7\r\ntxt:abc\r\n(12345678901234567890\r\n"
        let values = try readAll(Array((wire + ">1\r\n+m\r\n,inf\r\n").utf8), cut: cut, from: &reader)
        let text = { (text: String) in Array(text.utf8) }
        #expect(
            values == [
                .array([
                    .double(-1.5), .boolean(true), .boolean(false), .null,
                    .map([.simpleString(text("k")), .integer(1)]), .set([.integer(1), .integer(2)]),
                    .verbatim(text("txt:abc")), .bigNumber(text("12345678901234567890")),
                ]), .push([.simpleString(text("m"))]), .double(.infinity),
            ])
        // hiredis up to 1.2 does not know the type byte of attributes.
        let refusals = ["attributes are not supported", "got \"|\" as reply type byte"]
        let message = readError(text("|1\r\n+a\r\n+b\r\n+OK\r\n"))?.message
        #expect(refusals.contains { message == "reply 1, value 1: \($0)" }, "\(message ?? "")")
    }

    @Test("RESP3 types are refused if the library does not support them", .enabled(if: !RESPReader.readsRESP3))
    func refusesRESP3() {
        for byte in ["%", "_", ">", ",", "#", "~", "=", "(", "|"] {
            let message = "reply 1, value 1: got \"\(byte)\" as reply type byte"
            #expect(readError(Array("\(byte)1\r\n".utf8)) == RESPError(.protocolViolation, message))
        }
    }

    @Test("Malformed RESP is a protocol error with its position", arguments: Cut.allCases)
    func violations(cut: Cut) {
        let cases: [(String, String)] = [
            ("*-5\r\n", "reply 1, value 1: Multi-bulk length out of range"),
            ("*x\r\n", "reply 1, value 1: Bad multi-bulk length"),
            ("*\r\n", "reply 1, value 1: Bad multi-bulk length"),
            ("$-7\r\n", "reply 1, value 1: Bulk string length out of range"),
            ("$abc\r\n", "reply 1, value 1: Bad bulk string length"),
            ("$99999999999999999999\r\n", "reply 1, value 1: Bad bulk string length"),
            (":abc\r\n", "reply 1, value 1: Bad integer value"),
            (":9223372036854775808\r\n", "reply 1, value 1: Bad integer value"),
            (":\r\n", "reply 1, value 1: Bad integer value"),
            ("HTTP/1.1 400 Bad Request\r\n", "reply 1, value 1: got \"H\" as reply type byte"),
            ("\r\n", "reply 1, value 1: got \"\\r\" as reply type byte"),
            ("\u{0}", "reply 1, value 1: got \"\\x00\" as reply type byte"),
            ("+OK\r\n*2\r\n:1\r\n?", "reply 2, value 3: got \"?\" as reply type byte"),
            ("*1\r\n$3\r\nabcde", "reply 1, value 2: string not followed by CR LF"),
            ("$3\r\nabc\n\r", "reply 1, value 1: string not followed by CR LF"),
        ]
        for (wire, message) in cases {
            #expect(readError(Array(wire.utf8), cut: cut) == RESPError(.protocolViolation, message))
        }
    }

    @Test("After an error every call throws the same error, whatever the input")
    func errorStays() throws {
        var reader = RESPReader()
        try feed(Array("+OK\r\n?".utf8), to: &reader)
        let reply = try #require(try reader.next())
        var seen: [RESPError] = []
        for _ in 0..<2 {
            do throws(RESPError) { _ = try reader.next() } catch { seen.append(error) }
            do throws(RESPError) { try feed(Array("+OK\r\n".utf8), to: &reader) } catch { seen.append(error) }
        }
        #expect(Set(seen.map(\.message)) == ["reply 2, value 1: got \"?\" as reply type byte"])
        #expect(seen.count == 4)
        #expect(reply.value() == .simpleString(Array("OK".utf8)))
        #expect(seen[0].description == "RESP protocol violation: reply 2, value 1: got \"?\" as reply type byte")
        reader.recycle(reply)
        let held = reader.heldBytes
        #expect(held == 0)
    }
}
