import ComponentKit
import Foundation
import Logging
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import SnapshotStores
import StageKit
import StageTestKit
import Synchronization
import Testing

/// Credentials that fail for a moment, because a rotation is not atomic, while a worker is or has been connected.
@Suite(.timeLimit(.minutes(10))) struct CredentialFaultTests {
    private static let source = [
        "start": "beginning", "max_staleness": "500ms", "read_block": "100ms", "reconnect.first_delay": "10ms",
        "reconnect.max_delay": "50ms",
    ]

    /// A trouble: what goes wrong with the files or the server, and the reason that is counted.
    private struct Trouble {
        var name: String
        var reason: String
        var message: String
        var cause: (Credentials, RedisConnection) async throws -> Void
        var repair: (Credentials, RedisConnection) async throws -> Void = { credentials, _ in try credentials.restore()
        }

        /// A trouble of files alone.
        init(_ name: String, _ reason: String, _ message: String, _ cause: @escaping (Credentials) throws -> Void) {
            (self.name, self.reason, self.message) = (name, reason, message)
            self.cause = { credentials, _ in try cause(credentials) }
        }
    }

    private static var troubles: [Trouble] {
        [
            Trouble("no password file", "password_file", "cannot open") { try $0.remove("password") },
            Trouble("empty password file", "password_file", "it is empty") { try $0.write("password", "") },
            Trouble("half a password", "login", "WRONGPASS") { try $0.write("password", "s3c") },
            Trouble("no CA bundle", "tls_file", "ca_file") { try $0.remove("ca.crt") },
            Trouble("empty CA bundle", "tls_file", "ca_file") { try $0.write("ca.crt", "") },
            Trouble("half a CA bundle", "tls_file", "ca_file") { try $0.halve("ca.crt") },
            Trouble("CA of another generation", "certificate", "not signed by") { try $0.put("ca.crt", "other.crt") },
            Trouble("no certificate", "tls_file", "certificate_file") { try $0.remove("client.crt") },
            Trouble("empty certificate", "tls_file", "certificate_file") { try $0.write("client.crt", "") },
            Trouble("certificate before its key", "tls_file", "certificate_file") {
                try $0.put("client.crt", "server.crt")
            },
            Trouble("no key", "tls_file", "key_file") { try $0.remove("client.key") },
            Trouble("half a key", "tls_file", "key_file") { try $0.halve("client.key") },
            Trouble("key before its certificate", "tls_file", "certificate_file") {
                try $0.put("client.key", "server.key")
            },
        ]
    }

    /// Troubles that begin at the server.
    private static var serverTroubles: [Trouble] {
        var password = Trouble("password changed on the server first", "login", "WRONGPASS") { _ in }
        password.cause = { _, connection in try await connection.set(["requirepass", "new"]) }
        password.repair = { credentials, _ in try credentials.write("password", "new") }
        var authority = Trouble("server with another CA", "certificate", "not signed by") { _ in }
        authority.cause = { credentials, connection in
            try await connection.set(credentials.certificate("other"))
        }
        authority.repair = { credentials, connection in try await connection.set(credentials.certificate("server")) }
        var expired = Trouble("server with an expired certificate", "certificate", "has expired") { _ in }
        expired.cause = { credentials, connection in try await connection.set(credentials.certificate("expired")) }
        expired.repair = authority.repair
        return [authority, expired, password]
    }

    @Test(
        "A connected worker keeps its store, retries with an error line, and continues once credentials are valid",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func troubles() async throws {
        try await Credentials.with { credentials, server in
            try await withConnection(credentials.settings(server)) { connection in
                for index in 0..<10 { try await connection.addSession("s\(index)") }
                let log = RecordingLog()
                let session = try SessionPipeline(
                    server.address, Self.source, others: credentials.others, logger: log.logger(label: "test"))
                let isActive = session.store.condition("status", equals: "active")
                try await session.run {
                    try await session.caughtUp()
                    for (index, trouble) in (Self.troubles + Self.serverTroubles).enumerated() {
                        let before = session.pipeline.connections.failures[trouble.reason] ?? 0
                        let lines = log.lines.count
                        try await trouble.cause(credentials, connection)
                        try await connection.killOthers()
                        try await eventually("\(trouble.name) is counted: \(session.pipeline.connections.failures)") {
                            (session.pipeline.connections.failures[trouble.reason] ?? 0) > before + 1
                        }
                        let loud = log.lines.dropFirst(lines).first { $0.level == "error" }
                        #expect(loud?.metadata["reason"] == trouble.reason, "\(trouble.name): \(loud.debugDescription)")
                        #expect(loud?.metadata["error"]?.contains(trouble.message) == true, "\(loud.debugDescription)")
                        #expect(loud?.metadata["remedy"]?.contains("15m (redis.credential_timeout)") == true)
                        #expect(session.status.state == .connecting)
                        #expect(session.status.lastError?.contains(trouble.message) == true, "\(session.status)")
                        try await eventually("lookups are refused") { session.store.ask("s0", isActive) == .stale }
                        #expect(session.store.count == 10)
                        try await trouble.repair(credentials, connection)
                        let last = try await connection.addSession("s\(index % 10)", "revoked")
                        try await session.caughtUp(last)
                        #expect(session.sessions["s\(index % 10)"] == "revoked", "\(trouble.name)")
                    }
                    #expect(session.status.gaps.isEmpty && session.store.count == 10)
                }
                #expect(!log.lines.contains { "\($0)".contains(Credentials.password) })
            }
        }
    }

    @Test(
        "After the time limit the run ends with the error, and the checkpoint holds the store",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func limit() async throws {
        try await Credentials.with { credentials, server in
            try await withConnection(credentials.settings(server)) { connection in
                let first = try await connection.addSession("a")
                let checkpoint = credentials.path("checkpoint")
                var others = credentials.others
                others["redis.credential_timeout"] = "200ms"
                others["checkpoint"] = "{ path: \(checkpoint), interval: 1h }"
                var source = Self.source
                (source["start"], source["bootstrap"]) = ("resume", "stream")
                let session = try SessionPipeline(server.address, source, others: others)
                let failure = await #expect(throws: RedisError.self) {
                    try await session.run {
                        try await session.caughtUp(first)
                        try credentials.remove("password")
                        try await connection.killOthers()
                        try await eventually("ended: \(session.status)") { session.status.state == .stopped }
                    }
                }
                #expect(
                    failure?.message.hasPrefix("gave up after 200ms (redis.credential_timeout): redis.password_file: ")
                        == true, "\(failure?.message ?? "")")
                try credentials.restore()
                let next = try SessionPipeline(server.address, source, others: others)
                try await next.run {
                    let last = try await connection.addSession("b")
                    try await next.caughtUp(last)
                    #expect(next.sessions == ["a": "active", "b": "active"] && next.status.gaps.isEmpty)
                }
            }
        }
    }

    @Test(
        "At start, each of these faults ends the run with an error",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func start() async throws {
        try await Credentials.with { credentials, server in
            try await withConnection(credentials.settings(server)) { connection in
                for trouble in Self.troubles {
                    try await trouble.cause(credentials, connection)
                    let session = try SessionPipeline(server.address, Self.source, others: credentials.others)
                    let failure = await #expect(throws: RedisError.self) {
                        try await session.run {
                            try await eventually("ended") { session.status.state == .stopped }
                        }
                    }
                    #expect(
                        failure?.message.contains(trouble.message) == true, "\(trouble.name): \(failure?.message ?? "")"
                    )
                    #expect(session.pipeline.connections.failures == [trouble.reason: 1], "\(trouble.name)")
                    try credentials.restore()
                }
            }
        }
    }

    @Test(
        "A publisher that connects for the first time during a rotation waits; no revocation is lost",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func publisher() async throws {
        try await Credentials.with { credentials, server in
            try await withConnection(credentials.settings(server)) { connection in
                let first = try await connection.addSession("a")
                var others = credentials.others
                others["revocations"] = "{ publish: { stream: revoked } }"
                let session = try SessionPipeline(server.address, Self.source, others: others)
                try await session.run {
                    try await session.caughtUp(first)
                    try credentials.remove("password")
                    let last = try await connection.addSession("a", "revoked")
                    try await eventually("tried in vain") {
                        (session.pipeline.connections.failures["password_file"] ?? 0) > 2
                    }
                    #expect(session.status.state == .reading)
                    try credentials.restore()
                    try await session.caughtUp(last)
                    #expect(try await connection.entries("revoked").map { $0[1] } == ["a"])
                }
            }
        }
    }

    @Test(
        "A redis store and a group wait for their credentials for longer than the store's patience",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func storeAndGroup() async throws {
        try await Credentials.with { credentials, server in
            let store = credentials.section(server)
            let file = """
                pipeline: p
                redis: \(store)
                source: { redis_stream: { stream: s, start: beginning, group: g, read_block: 100ms, reconnect: { max_delay: 50ms } } }
                stores: { a: { redis: { key: id, patience: 2s, server: \(store) } } }
                stages:
                  - decode: { event: e, fields: { id: { required: true } } }
                  - upsert: { store: a }
                """
            try await withConnection(credentials.settings(server)) { connection in
                func add(_ id: String) async throws {
                    _ = try await connection.command(RESPCommand("XADD", "s", "*", "id", id))
                }
                try await withPipeline(file) { pipeline in
                    try await add("one")
                    try await pipeline.untilDone(1)
                    try credentials.remove("password")
                    // The group's connections stay; the store's is the one that is closed.
                    try await connection.killStores()
                    let start = ContinuousClock.now
                    try await add("two")
                    try await eventually("tried in vain: \(pipeline.connections.failures)") {
                        (pipeline.connections.failures["password_file"] ?? 0) > 5
                            && ContinuousClock.now - start > .seconds(3)
                    }
                    try await connection.killOthers()
                    try await eventually("the group has no connection") {
                        pipeline.source.status.state == .connecting || pipeline.status.stalled != nil
                    }
                    try credentials.restore()
                    try await add("three")
                    // An entry that is delivered again is counted again, so the count does not tell that all are there.
                    for id in ["one", "two", "three"] {
                        try await eventually("\(id) is stored") {
                            try await connection.command(RESPCommand("EXISTS", "a:\(id)")) == .integer(1)
                        }
                    }
                }
            }
        }
    }

    @Test("A sentinel that refuses the login of a connected worker, or has forgotten the master, is waited for")
    func sentinel() async throws {
        try await withRedisServer(.init(usesTCP: true)) { server in
            guard case .tcp(let host, let port) = server.address else { return }
            let state = Mutex("")
            let refusals = ["WRONGPASS": "-WRONGPASS invalid username-password pair\r\n", "unknown": "*-1\r\n"]
            try await FakeServer.with({ name in
                let state = state.withLock { $0 }
                switch name {
                case "AUTH": return state == "WRONGPASS" ? refusals[state] : "+OK\r\n"
                case "PING": return "+PONG\r\n"
                case _ where state == "unknown": return refusals[state]
                default: return "*2\r\n$\(host.utf8.count)\r\n\(host)\r\n$\("\(port)".utf8.count)\r\n\(port)\r\n"
                }
            }) { fake in
                var settings = server.settings
                var sentinel = SentinelSettings()
                sentinel.master = "m"
                sentinel.password = Secret("p")
                sentinel.addresses = [.tcp(host: "127.0.0.1", port: fake.port)]
                sentinel.checkInterval = .seconds(3600)
                settings.sentinel = sentinel
                var stream = RedisStreamSettings(stream: "s")
                stream.start = .beginning
                stream.reconnect.maximumDelay = .milliseconds(50)
                let history = ConnectionHistory()
                let source = RedisStreamSource(settings, stream, connections: history, logger: quiet)
                let delivered = Delivered()
                try await withRunning(source, { delivered.take($0) }) {
                    try await withConnection(server.settings) { connection in
                        for word in refusals.keys.sorted() {
                            try await connection.add("s", word)
                            try await eventually("delivered") { delivered.texts.last == word }
                            let before = history.failures["login"] ?? 0
                            state.withLock { $0 = word }
                            try await connection.killOthers()
                            try await eventually("refused") { (history.failures["login"] ?? 0) > before + 1 }
                            state.withLock { $0 = "" }
                            try await connection.add("s", "\(word) over")
                            try await eventually("delivered") { delivered.texts.last == "\(word) over" }
                        }
                    }
                }
            }
        }
    }
}

/// A TLS server that wants a client certificate and a password, and copies of a worker's files that a test can damage.
private struct Credentials {
    static let password = "s3cret-of-the-first-generation"

    private let folder: URL
    private let certificates: TestCertificates

    /// Lends the server and the files.
    static func with(_ body: (Credentials, RedisServer) async throws -> Void) async throws {
        try await TestCertificates.with { certificates in
            let options = RedisServer.Options(
                tls: certificates, wantsClientCertificate: true, arguments: ["--requirepass", self.password])
            try await withRedisServer(options) { server in
                try await withFolder { folder in
                    let credentials = Credentials(folder: folder, certificates: certificates)
                    try credentials.restore()
                    try await body(credentials, server)
                }
            }
        }
    }

    func path(_ name: String) -> String { self.folder.appendingPathComponent(name).path }

    /// Makes all files right.
    func restore() throws {
        try self.write("password", Self.password)
        for name in ["ca.crt", "client.crt", "client.key"] { try self.put(name, name) }
    }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: self.folder.appendingPathComponent(name), options: .atomic)
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: self.path(name)) }

    /// Puts a file of the server's side in the place of a worker's file.
    func put(_ name: String, _ other: String) throws {
        try self.write(name, String(contentsOfFile: self.certificates.path(other), encoding: .utf8))
    }

    /// Writes the first half of a file only.
    func halve(_ name: String) throws {
        let text = try String(contentsOfFile: self.path(name), encoding: .utf8)
        try self.write(name, String(text.prefix(text.count / 2)))
    }

    /// The settings of the server that show a certificate.
    func certificate(_ name: String) -> [String] {
        ["tls-cert-file", self.certificates.path("\(name).crt"), "tls-key-file", self.certificates.path("\(name).key")]
    }

    private var tls: String {
        "{ ca_file: \(self.path("ca.crt")), certificate_file: \(self.path("client.crt")), "
            + "key_file: \(self.path("client.key")) }"
    }

    /// The worker's settings in the section `redis` of the shipped file.
    var others: [String: String] {
        ["redis.password_file": self.path("password"), "redis.tls": self.tls, "redis.connect_timeout": "20s"]
    }

    /// The section `redis` of another file.
    func section(_ server: RedisServer) -> String {
        "{ address: \"\(server.address)\", timeout: 20s, connect_timeout: 20s, password_file: \(self.path("password")), "
            + "tls: \(self.tls) }"
    }

    /// The test's own settings, which no test damages.
    func settings(_ server: RedisServer) -> RedisSettings {
        var settings = server.settings
        settings.password = Secret(Self.password)
        settings.tls?.certificateFile = self.certificates.path("client.crt")
        settings.tls?.keyFile = self.certificates.path("client.key")
        return settings
    }
}

extension RedisConnection {
    /// Closes the connections of all others.
    fileprivate func killOthers() async throws {
        _ = try await self.command(RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
    }

    /// Closes the connections on which a script ran last.
    fileprivate func killStores() async throws {
        let list = try await self.command(RESPCommand("CLIENT", "LIST", "TYPE", "normal")).string ?? ""
        for line in list.split(separator: "\n") where line.contains("cmd=eval ") || line.contains("cmd=evalsha ") {
            guard let id = line.split(separator: " ").first?.dropFirst("id=".count) else { continue }
            _ = try await self.command(RESPCommand("CLIENT", "KILL", "ID", String(id)))
        }
    }

    /// Changes settings of the server together.
    fileprivate func set(_ words: [String]) async throws {
        let answer = try await self.command(
            RESPCommand("CONFIG", arguments: (["SET"] + words).map(\.respBytes)))
        #expect(answer.string == "OK")
    }
}
