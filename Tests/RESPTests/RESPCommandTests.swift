import RESP
import Testing
import TextSupport

@Suite struct RESPCommandTests {
    static let encodings: [(RESPCommand, [UInt8])] = [
        (RESPCommand("PING"), Array("*1\r\n$4\r\nPING\r\n".utf8)),
        (
            RESPCommand("XREAD", "COUNT", 128, "BLOCK", Int64(5000), "STREAMS", "s", "0-0"),
            Array("*8\r\n$5\r\nXREAD\r\n$5\r\nCOUNT\r\n$3\r\n128\r\n$5\r\nBLOCK\r\n$4\r\n5000\r\n".utf8)
                + Array("$7\r\nSTREAMS\r\n$1\r\ns\r\n$3\r\n0-0\r\n".utf8)
        ),
        (RESPCommand("SET", "", -1), Array("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$2\r\n-1\r\n".utf8)),
        (RESPCommand("", ""), Array("*2\r\n$0\r\n\r\n$0\r\n\r\n".utf8)),
        (RESPCommand("GET", "ключ"), Array("*2\r\n$3\r\nGET\r\n$8\r\nключ\r\n".utf8)),
        (
            RESPCommand("SET", arguments: [[0x00, 0x0D, 0x0A, 0xFF], []]),
            Array("*3\r\n$3\r\nSET\r\n$4\r\n".utf8) + [0x00, 0x0D, 0x0A, 0xFF] + Array("\r\n$0\r\n\r\n".utf8)
        ),
    ]

    @Test("A command is an array of byte strings", arguments: encodings.indices)
    func encodes(index: Int) {
        let (command, bytes) = Self.encodings[index]
        #expect(command.encoded() == bytes)
        var appended: [UInt8] = [1, 2]
        command.encode(into: &appended)
        command.encode(into: &appended)
        #expect(appended == [1, 2] + bytes + bytes)
    }

    @Test("The reader reads the encoder's output")
    func roundTrip() throws {
        var random = SplitMix64(state: 7)
        var reader = RESPReader()
        for _ in 0..<200 {
            let arguments = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                (0..<Int.random(in: 0...300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            let command = RESPCommand("NAME", arguments: arguments)
            let values = try readAll(command.encoded(), from: &reader)
            #expect(values == [.array(command.arguments.map { .bulk($0) })])
        }
    }

    @Test("Printing a command never shows an argument")
    func redaction() {
        let command = RESPCommand("AUTH", "default", "hunter2")
        var dumped = ""
        dump(command, to: &dumped)
        let texts = ["\(command)", String(reflecting: command), dumped, "\([command])", "\(Optional(command) as Any)"]
        for text in texts {
            #expect(text.contains("AUTH (2 arguments)"))
            #expect(!text.contains("hunter2") && !text.contains("default") && !text.contains("104"))
        }
        #expect(RESPCommand("GET", "k").description == "GET (1 argument)")
        #expect(RESPCommand("PING").description == "PING (0 arguments)")
    }
}
