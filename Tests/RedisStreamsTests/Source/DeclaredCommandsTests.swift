import ComponentKit
import Logging
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

@Suite struct DeclaredCommandsTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let server = RedisSettings(address: .tcp(host: "localhost", port: 6379))

    private func source(_ change: (inout RedisStreamSettings) -> Void = { _ in }) -> RedisStreamSource {
        var settings = RedisStreamSettings(stream: "events")
        change(&settings)
        return RedisStreamSource(Self.server, settings, logger: Self.silent)
    }

    @Test("A source declares the commands that read its streams and fill the stores")
    func reading() throws {
        let plain = try #require(self.source().serverUse)
        #expect(plain.streams == ["events"] && plain.commands.map(\.words) == ["XREAD", "XINFO STREAM", "XREVRANGE"])
        #expect(plain.commands.allSatisfy { $0.isHarmless && $0.key == nil && $0.substitute == nil })
        let several = try #require(self.source { $0.streams = ["a", "b"] }.serverUse)
        #expect(several.streams == ["a", "b"] && several.commands.compactMap(\.key) == ["a", "a", "a", "b", "b", "b"])
        let tolerant = try #require(self.source { $0.onGap = .goOn }.serverUse)
        #expect(tolerant.commands.compactMap(\.substitute) == ["lost entries are not detected"])
    }

    @Test("A source declares its group, with the commands of a worker in it, and whether it begins at the checkpoint")
    func groups() throws {
        #expect(self.source().groupName == nil && !self.source().startsAtCheckpoint)
        #expect(self.source { $0.start = .resume }.startsAtCheckpoint)
        let shared = self.source { $0.group = GroupSettings(name: "g") }
        #expect(shared.groupName == "g")
        let words = try #require(shared.serverUse).commands.map(\.words)
        #expect(words.contains("XREADGROUP") && words.contains("XACK") && !words.contains("XREAD"))
    }

    @Test("A store declares its commands, and which of them it can do without")
    func store() {
        let store = RedisStore(
            name: "sessions", RedisStoreSettings(key: "id"), server: Self.server, logger: Self.silent)
        let commands = store.serverCommands
        #expect(commands.contains { $0.words == "HGETALL" && $0.substitute == nil })
        let scan = commands.first { $0.words == "SCAN" }
        #expect(scan?.substitute?.hasPrefix("the store cannot be emptied") == true)
        #expect(commands.allSatisfy { !$0.isHarmless })
    }
}
