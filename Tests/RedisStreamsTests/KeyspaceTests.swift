import RedisClient
import StageKit
import Testing

@testable import RedisStreams

@Suite struct KeyspaceTests {
    private static let server = RedisSettings(address: .tcp(host: "redis", port: 6379))

    private static func part(_ use: ServerKey.Use, on server: RedisSettings = server, line: Int) -> Keyspace.Part {
        Keyspace.Part(use, on: server, at: SettingPosition(line: line, column: 1), context: "part \(line)")
    }

    /// The lines of errors and warnings about two parts, in both orders of the file.
    private func lines(
        _ first: ServerKey.Use, _ second: ServerKey.Use, servers: (RedisSettings, RedisSettings) = (server, server)
    ) -> [(errors: [Int], warnings: [Int])] {
        let parts = [Self.part(first, on: servers.0, line: 1), Self.part(second, on: servers.1, line: 2)]
        return [parts, parts.reversed()].map { parts in
            var (issues, warnings) = (SettingIssues(), SettingIssues())
            Keyspace(parts).check(&issues, warnings: &warnings)
            return (issues.all.map(\.position.line), warnings.all.map(\.position.line))
        }
    }

    @Test(
        "Nothing else may use a key with a store's prefix: the error is at the prefix",
        arguments: [
            (.source(stream: "sessions:events"), true), (.source(stream: "sessions"), false),
            (.source(stream: "sessions:"), true), (.source(stream: "other:sessions:"), false),
            (.deadLetters(stream: "sessions:events:dead"), true), (.revocations(stream: "sessions:gone"), true),
            (.messages(stream: "sessions:{3}"), true), (.messages(stream: "session:1"), false),
            (.bootstrap(pattern: "sessions:*"), true), (.bootstrap(pattern: "*"), true),
            (.bootstrap(pattern: "*:profile"), true), (.bootstrap(pattern: "sess[a-i]ons?x"), true),
            (.bootstrap(pattern: "session:*"), false), (.bootstrap(pattern: "sess[^i]*"), false),
            (.messageChannel("sessions:events"), false), (.revocationChannel("sessions:events"), false),
            (.messageStreams(pattern: "sessions:*"), true), (.messageStreams(pattern: "*:x"), true),
            (.messageStreams(pattern: "audit:*"), false), (.messageChannels(pattern: "sessions:*"), false),
        ] as [(ServerKey.Use, Bool)])
    func stores(use: ServerKey.Use, isWrong: Bool) {
        for found in self.lines(.store(prefix: "sessions:"), use) {
            #expect(found.errors == (isWrong ? [1] : []) && found.warnings.isEmpty)
        }
    }

    @Test(
        "No store's prefix may begin with another's",
        arguments: [
            ("a:", "a:b:", true), ("a:", "a:", true), ("a:", "b:", false), ("ab", "a", true), ("a:b", "a:c", false),
        ])
    func prefixes(first: String, second: String, isWrong: Bool) {
        for found in self.lines(.store(prefix: first), .store(prefix: second)) {
            #expect(found.errors.count == (isWrong ? 1 : 0))
        }
    }

    @Test("Streams of two purposes are errors, or warnings if both can be meant")
    func targets() {
        let read = ServerKey.Use.source(stream: "s")
        for other in [ServerKey.Use.deadLetters(stream: "s"), .revocations(stream: "s")] {
            #expect(self.lines(read, other)[0].errors == [2])
        }
        #expect(self.lines(.deadLetters(stream: "s"), .messages(stream: "s"))[0].errors == [2])
        #expect(self.lines(read, .messages(stream: "s"))[0] == ([], [2]))
        #expect(self.lines(.revocations(stream: "s"), .messages(stream: "s"))[0] == ([], [2]))
        #expect(self.lines(.revocationChannel("c"), .messageChannel("c"))[0] == ([], [2]))
        // Two stages of one type may share a target, and a channel is no key.
        #expect(self.lines(.messages(stream: "s"), .messages(stream: "s"))[0] == ([], []))
        #expect(self.lines(.deadLetters(stream: "s"), .deadLetters(stream: "s"))[0] == ([], []))
        #expect(self.lines(read, .messageChannel("s"))[0] == ([], []))
    }

    @Test("A name that contains fields is a warning if it can be that of a stream or channel with another purpose")
    func patterns() {
        let streams = ServerKey.Use.messageStreams(pattern: #"audit:*:\[x\]"#)
        for other in [ServerKey.Use.source, ServerKey.Use.deadLetters, ServerKey.Use.revocations] {
            #expect(self.lines(other("audit:a:[x]"), streams)[0] == ([], [2]))
            #expect(self.lines(streams, other("audit:a:[x]"))[0] == ([], [1]))
            #expect(self.lines(other("audit:a"), streams)[0] == ([], []))
        }
        #expect(self.lines(.messages(stream: "audit:a:[x]"), streams)[0] == ([], []))
        #expect(self.lines(streams, streams)[0] == ([], []))
        let channels = ServerKey.Use.messageChannels(pattern: "c:*")
        #expect(self.lines(.revocationChannel("c:1"), channels)[0] == ([], [2]))
        #expect(self.lines(.revocationChannel("d"), channels)[0] == ([], []))
        #expect(self.lines(.source(stream: "c:1"), channels)[0] == ([], []))
    }

    @Test("Keys of different servers and databases do not collide; this machine's names are one server")
    func servers() {
        func settings(_ host: String, port: Int = 1, database: Int = 0) -> RedisSettings {
            var settings = RedisSettings(address: .tcp(host: host, port: port))
            settings.database = database
            return settings
        }
        func cluster(_ hosts: String...) -> RedisSettings {
            var settings = settings(hosts[0])
            settings.cluster = ClusterSettings()
            settings.cluster?.addresses = hosts.map { .tcp(host: $0, port: 1) }
            return settings
        }
        func sentinel(_ master: String) -> RedisSettings {
            var settings = settings("s")
            settings.sentinel = SentinelSettings()
            settings.sentinel?.addresses = [.tcp(host: "s", port: 1)]
            settings.sentinel?.master = master
            return settings
        }
        let pairs: [(RedisSettings, RedisSettings, Bool)] = [
            (settings("a"), settings("a"), true), (settings("a"), settings("b"), false),
            (settings("a"), settings("a", port: 2), false), (settings("a"), settings("a", database: 1), false),
            (settings("localhost"), settings("127.0.0.1"), true), (settings("::1"), settings("localhost"), true),
            (cluster("a", "b"), cluster("b", "c"), true), (cluster("a"), cluster("b"), false),
            (cluster("a", "b"), settings("b"), true), (sentinel("m"), sentinel("m"), true),
            (sentinel("m"), sentinel("n"), false),
        ]
        for (first, second, isSame) in pairs {
            let found = self.lines(.store(prefix: "x:"), .source(stream: "x:y"), servers: (first, second))
            #expect(found[0].errors == (isSame ? [1] : []), "\(first.address) \(second.address)")
        }
    }
}
