import NIOCore
import NIOEmbedded
import StageKit
import Testing

@testable import RedisClient

@Suite struct ReplyPartTests {
    @Test("Each received part of a reply is a step, so that a slow link does not count as a hang")
    func parts() throws {
        let channel = EmbeddedChannel()
        let handler = CommandHandler(
            RedisSettings(address: .tcp(host: "localhost", port: 1)), EventLoopExecutor(channel.embeddedEventLoop))
        let progress = ProgressReporter()
        handler.progress = progress
        try channel.pipeline.syncOperations.addHandler(handler)
        for (number, part) in ["$12\r\n01", "2345", "6789"].enumerated() {
            try channel.writeInbound(ByteBuffer(string: part))
            #expect(progress.pulses == UInt64(number + 1))
        }
        try channel.writeInbound(ByteBuffer(string: "ab\r\n"))
        #expect(progress.pulses == 3)
        _ = try? channel.finish()
    }
}
