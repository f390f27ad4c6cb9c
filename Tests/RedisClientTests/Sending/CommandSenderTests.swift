import RESP
import StageKit
import Testing

@testable import RedisClient

@Suite struct CommandSenderTests {
    @Test("Commands in flight are bounded in number and bytes, and one command is always sent")
    func chunks() {
        let small = Array(repeating: RESPCommand("PING"), count: 1200)
        #expect(CommandSender.chunk(of: small, from: 0) == small[0..<512])
        #expect(CommandSender.chunk(of: small, from: 1024) == small[1024..<1200])
        let large = Array(repeating: RESPCommand("SET", "k", [UInt8](repeating: 0, count: 3 << 20)), count: 5)
        #expect(CommandSender.chunk(of: large, from: 0).indices == 0..<2)
        let huge = [RESPCommand("SET", "k", [UInt8](repeating: 0, count: 20 << 20)), RESPCommand("PING")]
        #expect(CommandSender.chunk(of: huge, from: 0).indices == 0..<1)
        #expect(CommandSender.chunk(of: huge, from: 2).isEmpty)
    }
}
