import RESP
import StageKit
import Testing

@testable import RedisStreams

@Suite struct RedisMessagePublisherTests {
    @Test("A message is the command it is sent with")
    func commands() {
        let field = OutgoingMessage.Field(name: [0xFF], value: [0x00])
        #expect(
            OutgoingMessage.entry(stream: "s", maxLength: nil, fields: [field]).command()
                == RESPCommand("XADD", "s", "*", [0xFF], [0x00]))
        #expect(
            OutgoingMessage.entry(stream: "s", maxLength: 7, fields: [field, field]).command()
                == RESPCommand("XADD", "s", "MAXLEN", "~", 7, "*", [0xFF], [0x00], [0xFF], [0x00]))
        #expect(OutgoingMessage.text(channel: "c", payload: [0x00]).command() == RESPCommand("PUBLISH", "c", [0x00]))
    }
}
