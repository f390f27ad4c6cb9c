import RESP
import Testing

/// How a stream is cut into pieces before it is fed.
enum Cut: CaseIterable, Sendable {
    case whole, byteByByte, threes
}

/// Feeds `bytes` in pieces and takes every reply after each; recycles all of them.
func readAll(_ bytes: [UInt8], cut: Cut = .whole, from reader: inout RESPReader) throws(RESPError) -> [RESPValue] {
    var values: [RESPValue] = []
    try readAll(bytes, cut: cut, from: &reader, into: &values)
    return values
}

/// The same; what was read before an error is in `values`.
func readAll(
    _ bytes: [UInt8], cut: Cut = .whole, from reader: inout RESPReader, into values: inout [RESPValue]
) throws(RESPError) {
    let step =
        switch cut {
        case .whole: max(bytes.count, 1)
        case .byteByByte: 1
        case .threes: 3
        }
    for start in stride(from: 0, to: bytes.count, by: step) {
        try feed(Array(bytes[start..<min(start + step, bytes.count)]), to: &reader)
        while let reply = try reader.next() {
            values.append(reply.value())
            reader.recycle(reply)
        }
    }
}

/// Feeds one piece.
func feed(_ bytes: [UInt8], to reader: inout RESPReader) throws(RESPError) {
    let result = bytes.withUnsafeBytes { piece in
        Result { () throws(RESPError) in try reader.feed(piece) }
    }
    try result.get()
}

/// The error that reading `bytes` ends in, or nil.
func readError(_ bytes: [UInt8], cut: Cut = .whole, limits: RESPLimits = RESPLimits()) -> RESPError? {
    var reader = RESPReader(limits: limits)
    do throws(RESPError) {
        _ = try readAll(bytes, cut: cut, from: &reader)
        return nil
    } catch {
        return error
    }
}

/// A wire text and the value it stands for.
struct Sample: Sendable, CustomTestStringConvertible {
    let wire: [UInt8]
    let value: RESPValue

    init(_ wire: String, _ value: RESPValue) {
        self.wire = Array(wire.utf8)
        self.value = value
    }

    init(bytes wire: [UInt8], _ value: RESPValue) {
        self.wire = wire
        self.value = value
    }

    var testDescription: String {
        self.wire.count > 40
            ? "\(self.wire.count) bytes" : String(decoding: self.wire, as: UTF8.self).debugDescription
    }
}

extension RESPValue {
    static func text(_ text: String) -> RESPValue { .bulk(Array(text.utf8)) }
}

/// Every RESP2 kind, in all the shapes that a parser can get wrong.
let samples: [Sample] = [
    Sample("+OK\r\n", .simpleString(Array("OK".utf8))),
    Sample("+\r\n", .simpleString([])),
    Sample("-ERR unknown command\r\n", .error("ERR unknown command")),
    Sample("-\r\n", .error("")),
    Sample(":0\r\n", .integer(0)),
    Sample(":1000\r\n", .integer(1000)),
    Sample(":-1\r\n", .integer(-1)),
    Sample(":9223372036854775807\r\n", .integer(.max)),
    Sample(":-9223372036854775808\r\n", .integer(.min)),
    Sample("$0\r\n\r\n", .bulk([])),
    Sample("$5\r\nhello\r\n", .text("hello")),
    Sample("$-1\r\n", .null),
    Sample("*-1\r\n", .null),
    Sample("$8\r\na\r\nb\u{0}\r\nc\r\n", .text("a\r\nb\u{0}\r\nc")),
    Sample(bytes: Array("$4\r\n".utf8) + [0xFF, 0x00, 0x0D, 0x0A, 0x0D, 0x0A], .bulk([0xFF, 0x00, 0x0D, 0x0A])),
    Sample(
        bytes: Array("$70000\r\n".utf8) + [UInt8](repeating: 0x2A, count: 70000) + [0x0D, 0x0A],
        .bulk([UInt8](repeating: 0x2A, count: 70000))),
    Sample("*0\r\n", .array([])),
    Sample("*3\r\n$1\r\na\r\n$-1\r\n*0\r\n", .array([.text("a"), .null, .array([])])),
    Sample("*2\r\n*-1\r\n:7\r\n", .array([.null, .integer(7)])),
    Sample(
        "*2\r\n*2\r\n+x\r\n-E y\r\n*1\r\n*1\r\n:5\r\n",
        .array([
            .array([.simpleString(Array("x".utf8)), .error("E y")]), .array([.array([.integer(5)])]),
        ])),
    Sample(
        "*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$3\r\n2-0\r\n*-1\r\n",
        .array([
            .array([
                .text("s"),
                .array([
                    .array([.text("1-0"), .array([.text("f"), .text("v")])]),
                    .array([.text("2-0"), .null]),
                ]),
            ])
        ])),
    Sample(
        String(repeating: "*1\r\n", count: 8) + ":1\r\n",
        (0..<8).reduce(RESPValue.integer(1)) { value, _ in .array([value]) }),
]
