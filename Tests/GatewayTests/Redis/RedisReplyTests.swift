import NIOCore
import Testing

@testable import Gateway

@Suite struct RedisReplyTests {
    @Test(
        "Headers have their number in decimal",
        arguments: [0, 1, 9, 10, 11, 99, 100, 1_000, 123_456, 999_999_999, .max, -1, -2, -9, -10, -123_456, .min])
    func headers(number: Int) {
        var buffer = ByteBuffer()
        buffer.writeString("x")
        buffer.writeNumber(number)
        #expect(String(buffer: buffer) == "x:\(number)\r\n")
    }
}
