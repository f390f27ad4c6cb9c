import ComponentKit
import Foundation
import RESP
import RedisClient
import RedisStreams
import StageKit
import Testing

/// Replies that are large for the link, for the server, or for this side.
@Suite struct LargeReplyTests {
    /// What arrived of one entry.
    private struct Arrival: Sendable, Equatable {
        var id: EntryID
        var names: [String]
        var reason: String?
    }

    /// What was delivered.
    private final class Arrivals: Sendable {
        private let state = OrderedMutex<[Arrival]>([])
        var all: [Arrival] { self.state.withLock { $0 } }
        var ids: [EntryID] { self.all.map(\.id) }

        func take(_ batch: EventBatch) {
            batch.prepareCells(fieldCount: 1)
            for index in 0..<batch.count {
                let arrival = batch.withEvent(at: index) { event in
                    let names = (0..<event.rawFieldCount).map { event.text(event.rawField(at: $0).name) }
                    return Arrival(id: event.id, names: names, reason: event.failure?.reason)
                }
                self.state.withLock { $0.append(arrival) }
            }
        }
    }

    private func id(_ milliseconds: Int) -> EntryID { EntryID(milliseconds: UInt64(milliseconds), sequence: 0) }

    /// Adds entries with ids from 1 on, each with a value of so many bytes.
    private func fill(_ connection: RedisConnection, _ count: Int, bytes: Int) async throws {
        let script = """
            for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], i .. '-0', 'a', string.rep('x', ARGV[2])) end
            """
        _ = try await connection.command(RESPCommand("EVAL", script, 1, "s", count, bytes), timeout: .seconds(60))
    }

    /// Settings that read from the beginning, and leave little time.
    private func settings(group: Bool = false, count: Int, stream: String = "s") -> RedisStreamSettings {
        var settings = RedisStreamSettings(stream: stream)
        settings.start = .beginning
        settings.onGap = .goOn
        settings.readCount = count
        (settings.readBlock, settings.readMargin) = (.milliseconds(100), .milliseconds(400))
        settings.checkInterval = .milliseconds(50)
        settings.reconnect.firstDelay = .milliseconds(10)
        if group {
            var shared = GroupSettings(name: "g")
            shared.consumer = "w"
            shared.maxDeliveries = 1
            settings.group = shared
        }
        return settings
    }

    @Test("A link too slow for a reply within the read timeout is only slow", arguments: [false, true])
    func slowLink(group: Bool) async throws {
        try await withRedisServer(RedisServer.Options(usesTCP: true)) { server in
            let proxy = try FaultProxy(to: server.address)
            defer { proxy.stop() }
            try await withConnection(server.settings) { try await self.fill($0, 150, bytes: 1000) }
            proxy.set(.throttle(100_000))
            let arrivals = Arrivals()
            let source = RedisStreamSource(
                RedisSettings(address: proxy.address), self.settings(group: group, count: 128), logger: quiet)
            try await withRunning(source, { arrivals.take($0) }) {
                try await eventually("all delivered") { arrivals.ids.count >= 150 }
            }
            // Where a reply must arrive in time as a whole, nothing ever arrives. A pause of this machine may still end a
            // read, so the reconnects are not counted.
            #expect(arrivals.ids == (1...150).map { self.id($0) })
        }
    }

    @Test(
        "Reads smaller replies if the server closes connections with large ones", arguments: [false, true])
    func outputLimit(group: Bool) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await self.fill(connection, 600, bytes: 4000)
                _ = try await connection.command(
                    RESPCommand("CONFIG", "SET", "client-output-buffer-limit", "normal 300kb 0 0"))
                let arrivals = Arrivals()
                var settings = self.settings(group: group, count: 512)
                // Only the server ends a read here: in a group, one that ends for want of time counts as a delivery.
                settings.readMargin = .seconds(60)
                let source = RedisStreamSource(server.settings, settings, logger: quiet)
                try await withRunning(source, { arrivals.take($0) }) {
                    try await eventually("all delivered") { arrivals.ids.count >= 600 }
                }
                #expect(arrivals.ids.sorted() == (1...600).map { self.id($0) })
                #expect(arrivals.all.allSatisfy { $0.reason == nil })
                #expect(source.status.reconnects > 0)
            }
        }
    }

    @Test(
        "Checks do not transfer a large last entry; without scripts they take longer",
        arguments: [true, false])
    func largeLast(scripts: Bool) async throws {
        try await withRedisServer(RedisServer.Options(usesTCP: true)) { server in
            let proxy = try FaultProxy(to: server.address)
            defer { proxy.stop() }
            try await withConnection(server.settings) { connection in
                try await self.fill(connection, 1, bytes: 3 << 20)
                let rules = scripts ? ["+@all"] : ["+@all", "-@scripting"]
                let acl = ["ACL", "SETUSER", "u", "on", ">p", "~*", "&*"] + rules
                _ = try await connection.command(
                    RESPCommand(acl[0], arguments: acl.dropFirst().map { Array($0.utf8) }))
                proxy.set(.throttle(4 << 20))
                var redis = RedisSettings(address: proxy.address)
                (redis.username, redis.password) = ("u", Secret("p"))
                var settings = self.settings(count: 10)
                settings.start = .tail
                // Only the looks at the start, or the bytes would depend on how long the test takes.
                settings.checkInterval = .seconds(3600)
                let arrivals = Arrivals()
                let source = RedisStreamSource(redis, settings, logger: quiet)
                try await withRunning(source, { arrivals.take($0) }) {
                    try await eventually("reading") { source.status.state == .reading && source.status.isCaughtUp }
                    _ = try await connection.add("s", "next")
                    try await eventually("delivered") { arrivals.ids.count == 1 }
                }
                // That the source reads at all is the point: it never did where each look had to be done in the time of a
                // ping. A pause of this machine may end a look, so the reconnects are not counted.
                #expect((proxy.sentBytes < 1 << 20) == scripts)
            }
        }
    }

    /// How a stream is read.
    enum Way: String, Sendable, CaseIterable {
        case tail, beginning, bootstrap, group
    }

    /// The start of a script that makes `large` a text of 65 MiB. `string.rep` would append it byte by byte, which takes
    /// the server a second.
    private static let makeLarge = """
        local large = string.rep('x', 65 * 16384)
        for _ = 1, 2 do large = large .. large .. large .. large .. large .. large .. large .. large end

        """

    /// The ways to read a stream whose entry at `place` is oversized: every way between other entries, the last entry
    /// by those that begin there, and the first one as it comes. All ways to every place for `make rounds`.
    private static func ways(_ place: Int) -> [Way] {
        guard ProcessInfo.processInfo.environment["SLUICE_ROUNDS"] == nil else { return Way.allCases }
        return switch place {
        case 1: [.beginning]
        case 2: Way.allCases
        default: [.tail, .bootstrap]
        }
    }

    @Test("An entry of 65 MiB at any position fails alone")
    func oversized() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                // One text for all streams, and one stream for all ways to read it: to make them takes longer than to
                // read them.
                let script =
                    Self.makeLarge + """
                        for place = 1, 3 do
                          for i = 1, 3 do
                            if i == place then
                              redis.call('XADD', KEYS[place], i .. '-0', 'a', '1', 'big', large, 'b', '2')
                            else
                              redis.call('XADD', KEYS[place], i .. '-0', 'a', '1')
                            end
                          end
                        end
                        """
                let streams = ["s1", "s2", "s3"]
                _ = try await connection.command(
                    RESPCommand("EVAL", arguments: ([script, "3"] + streams).map { Array($0.utf8) }),
                    timeout: .seconds(60))
                for (place, stream) in zip(1..., streams) {
                    // Each adds an entry.
                    for (index, way) in Self.ways(place).enumerated() {
                        try await self.read(server, connection, stream, way, place: place, last: 3 + index)
                    }
                    _ = try await connection.command(RESPCommand("DEL", stream))
                }
            }
        }
    }

    /// Reads entries 1 to `last`, of which the one at `place` is oversized, and another that is added meanwhile.
    private func read(
        _ server: RedisServer, _ connection: RedisConnection, _ stream: String, _ way: Way, place: Int, last: Int
    ) async throws {
        var settings = self.settings(group: way == .group, count: 10, stream: stream)
        (settings.readBlock, settings.readMargin) = (.seconds(1), .seconds(60))
        if way == .tail || way == .bootstrap { settings.start = .tail }
        if way == .bootstrap { settings.bootstrap = .stream }
        let arrivals = Arrivals()
        let source = RedisStreamSource(server.settings, settings, logger: quiet)
        let expected = way == .tail ? [last + 1] : Array(1...last + 1)
        try await withRunning(source, { arrivals.take($0) }) {
            try await eventually("reading") { source.status.state == .reading && source.status.isCaughtUp }
            try await connection.add(stream, "next", id: "\(last + 1)-0")
            try await eventually("all delivered, \(way)") { arrivals.ids.count >= expected.count }
        }
        #expect(arrivals.ids == expected.map { self.id($0) }, "\(way), \(place)")
        #expect(source.status.reconnects == 0, "\(way)")
        for arrival in arrivals.all {
            let isLarge = arrival.id == self.id(place)
            #expect(arrival.reason == (isLarge ? "value_too_large" : nil), "\(way)")
            if isLarge { #expect(arrival.names == ["a", "b"], "\(way)") }
        }
    }

    @Test("With on_oversized: halt an oversized entry ends the run")
    func halts() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let script = Self.makeLarge + "redis.call('XADD', KEYS[1], '7-0', 'big', large)"
                _ = try await connection.command(RESPCommand("EVAL", script, 1, "s"), timeout: .seconds(60))
                for isInGroup in [false, true] {
                    var settings = self.settings(group: isInGroup, count: 10)
                    settings.readMargin = .seconds(60)
                    settings.onOversized = .halt
                    let source = RedisStreamSource(server.settings, settings, logger: quiet)
                    let error = await #expect(throws: RedisError.self) { try await source.run { _ in } }
                    #expect(error?.code == .valueTooLarge && error?.message.contains("entry 7-0 of s") == true)
                }
            }
        }
    }

    @Test(
        "Stores are filled from large keys over a slow link and if the server closes large replies",
        arguments: [true, false])
    func keys(slow: Bool) async throws {
        try await withRedisServer(RedisServer.Options(usesTCP: true)) { server in
            let proxy = try FaultProxy(to: server.address)
            defer { proxy.stop() }
            try await withConnection(server.settings) { connection in
                let script = """
                    for i = 1, 300 do redis.call('HSET', 'k:' .. i, 'a', string.rep('x', 40960)) end
                    """
                _ = try await connection.command(RESPCommand("EVAL", script, 0), timeout: .seconds(60))
                if slow {
                    proxy.set(.throttle(6 << 20))
                } else {
                    _ = try await connection.command(
                        RESPCommand("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"))
                }
                var settings = self.settings(count: 10)
                settings.start = .tail
                var keys = KeyBootstrap(match: "k:*")
                keys.keyField = "key"
                settings.bootstrap = .keys(keys)
                let names = OrderedMutex<Set<[UInt8]>>([])
                let source = RedisStreamSource(RedisSettings(address: proxy.address), settings, logger: quiet)
                try await withRunning(
                    source,
                    { batch in
                        for index in 0..<batch.count {
                            let name = batch.withEvent(at: index) { event in
                                Array(event.unsafeBytes(event.rawField(at: 0).value))
                            }
                            names.withLock { _ = $0.insert(name) }
                        }
                    }
                ) {
                    try await eventually("filled") { source.status.isCaughtUp && !source.status.isFilling }
                }
                #expect(names.withLock { $0.count } == 300)
            }
        }
    }
}
