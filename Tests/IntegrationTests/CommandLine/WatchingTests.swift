import Foundation
import NIOCore
import RESP
import RedisClient
import Testing

@testable import Commands

/// The verbs and feeds by which people and gateways watch a worker.
@Suite(.timeLimit(.minutes(10))) struct WatchingTests {
    private static let stream = "gateway:session_events"

    private func session(_ key: String, _ status: String = "active") -> [(String, String)] {
        [("device_session_id", key), ("user_id", "u"), ("client_public_key", "very-secret-key"), ("status", status)]
    }

    private func add(_ connection: RedisConnection, _ fields: [(String, String)]) async throws {
        let arguments = [Self.stream.respBytes, "*".respBytes] + fields.flatMap { [$0.0.respBytes, $0.1.respBytes] }
        _ = try await connection.command(RESPCommand("XADD", arguments: arguments))
    }

    /// Runs the shipped pipeline with a connection to its server, ready to read.
    private func withFlow(
        _ arguments: [String] = [], environment: [String: String] = [:],
        _ body: (RedisConnection, String, URL, SluiceProcess) async throws -> Void
    ) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withWorker(server, arguments, environment: environment) { process, folder in
                    let admin = "unix:\(folder.path)/admin"
                    try await eventually("ready") { try await self.status(admin, "/readyz") == 200 }
                    try await body(connection, admin, folder, process)
                }
            }
        }
    }

    private func status(_ admin: String, _ path: String) async throws -> UInt {
        (try? await AdminClient(address: admin).answer(path).status) ?? 0
    }

    @Test("tap shows events with outcomes and fields but without secrets, and ends after its limit")
    func tap() async throws {
        try await self.withFlow { connection, admin, folder, _ in
            let json = try SluiceProcess(
                ["tap", "--admin", admin, "--format", "json", "--limit", "3", "--duration", "600s"],
                in: try Self.folder("json", in: folder))
            let drops = try SluiceProcess(
                ["tap", "--admin", admin, "--outcome", "evicted", "--stage", "decode", "--limit", "1"],
                in: try Self.folder("drops", in: folder))
            // The taps are open when they are counted: what is added before is not for them.
            try await eventually("seen") {
                try await self.add(connection, self.session("ds-1"))
                try await self.add(connection, [("device_session_id", "ds-\u{1B}[2J"), ("user_id", "u")])
                return json.output.count(where: \.isNewline) >= 3 && drops.output.contains("\n")
            }
            let told = try await json.end()
            #expect(told.status == 0, "\(told.errors)")
            let lines = told.output.split(separator: "\n")
            #expect(lines.count == 3)
            #expect(!told.output.contains("very-secret-key"))
            let good = try #require(lines.first { $0.contains("\"applied\"") })
            #expect(good.contains("\"client_public_key\":\"[secret]\""))
            #expect(good.contains("\"effects\":[\"upsert\"]"))
            let dropped = try await drops.end()
            #expect(dropped.status == 0, "\(dropped.errors)")
            #expect(dropped.output.contains("malformed_event  at decode"))
            #expect(dropped.output.contains("missing client_public_key"))
            #expect(!dropped.output.contains("\u{1B}"))
        }
    }

    @Test("explain shows the snapshot, revocations, failures and the eviction of a key")
    func explain() async throws {
        try await self.withFlow { connection, admin, _, _ in
            try await self.add(connection, self.session("ds-1", "revoked"))
            try await self.add(connection, self.session("ds-2"))
            try await self.add(connection, [("device_session_id", "ds-2")])
            try await eventually("done") {
                let body = try await AdminClient(address: admin).answer("/v1/pipeline").body
                return String(buffer: body).contains("\"read\":3")
            }
            let held = try await sluice("explain", "ds-1", "--admin", admin)
            #expect(held.status == 0, "\(held.errors)")
            #expect(held.output.contains("held since 20"))
            #expect(held.output.contains("client_public_key  [secret]"))
            #expect(held.output.contains("revocations and evictions\n  20"))
            #expect(!held.output.contains("very-secret-key"))
            let gone = try await sluice("explain", "ds-2", "--admin", admin)
            #expect(gone.output.contains("not held: evicted by entry "))
            #expect(gone.output.contains("missing user_id"))
            let unknown = try await sluice("explain", "ds-3", "--admin", admin, "--format", "json")
            #expect(unknown.output.contains("\"held\":null"))
            #expect(try await sluice("explain", "x", "--admin", admin, "--store", "other").status == 1)
        }
    }

    @Test("The state of the revocation feed has the refused and evicted sessions of the shipped pipeline")
    func refusedState() async throws {
        struct Enough: Error {}
        try await self.withFlow { connection, admin, _, _ in
            try await self.add(connection, self.session("ds-1", "revoked"))
            try await self.add(connection, self.session("ds-2"))
            try await self.add(connection, self.session("ds-3"))
            try await self.add(connection, [("device_session_id", "ds-3")])
            try await eventually("done") {
                let body = try await AdminClient(address: admin).answer("/v1/pipeline").body
                return String(buffer: body).contains("\"read\":4")
            }
            var events: [ServerSentEvent] = []
            do {
                try await AdminClient(address: admin).events("/v1/revocations?state=all") { event in
                    events.append(event)
                    if event.name == "status" { throw Enough() }
                }
            } catch is Enough {}
            #expect(events.map(\.name) == ["state", "revocation", "eviction", "state", "hello", "status"])
            #expect(events[1].data.hasPrefix("{\"key\":\"ds-1\","))
            #expect(events[2].data.hasPrefix("{\"key\":\"ds-3\","))
            #expect(events[3].data == #"{"store":"sessions","condition":"status: active","complete":true}"#)
        }
    }

    @Test("top prints one line per second if its output is not a terminal, and ends with the worker")
    func top() async throws {
        try await self.withFlow { connection, admin, folder, process in
            let top = try SluiceProcess(["top", "--admin", admin], in: try Self.folder("top", in: folder))
            for _ in 0..<5 { try await self.add(connection, self.session("ds-1")) }
            try await eventually("told") { top.output.contains("read 5") && top.output.contains("sessions 1") }
            try await process.signal(SIGTERM)
            #expect(try await process.end().status == 0)
            let ending = try await top.end()
            #expect(ending.status == 1)
            #expect(ending.output.contains("  ready  "))
        }
    }

    @Test("A client in another language follows revocations and detects a restart of the worker")
    func follower() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withFolder { folder in
                    let port = try RawSocket.freePort()
                    let environment = ["SLUICE_LISTEN": "127.0.0.1:\(port)"]
                    let script = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
                        .appendingPathComponent("follow_revocations.py").path
                    let follower = try Child(
                        ["/usr/bin/python3", script, "http://127.0.0.1:\(port)"], in: folder, log: "follower")
                    defer {
                        kill(follower.pid, SIGKILL)
                        _ = follower.wait()
                    }
                    let told = {
                        (try? String(contentsOf: folder.appendingPathComponent("follower"), encoding: .utf8)) ?? ""
                    }
                    for run in 1...2 {
                        // What was told of the worker before, however often it was ready, does not count.
                        let (start, greeting) = (told().count, run == 1 ? "hello {" : "gap {'reason': 'restarted'}")
                        try await withWorker(server, environment: environment) { process, _ in
                            try await eventually("follows") {
                                let news = told().dropFirst(start)
                                guard let begin = news.firstRange(of: greeting) else { return false }
                                return news[begin.upperBound...].contains("{'ready': True")
                            }
                            if run == 1 { #expect(told().contains("hello")) }
                            try await self.add(connection, self.session("ds-\(run)", "revoked"))
                            try await eventually("told") { told().contains("revocation {'key': 'ds-\(run)'") }
                            try await self.add(connection, self.session("bad-\(run)", "REVOKED"))
                            try await eventually("evicted") {
                                told().contains("eviction {'key': 'bad-\(run)'")
                                    && told().contains("'reason': 'invalid_event'}")
                            }
                            try await process.signal(SIGTERM)
                            #expect(try await process.end().status == 0)
                        }
                    }
                    #expect(told().contains("gap {'reason': 'restarted'}"))
                }
            }
        }
    }

    @Test("With a token, subcommands need it, from the environment or a file, and never print it")
    func token() async throws {
        let token = "a-token-that-nobody-guesses"
        try await withRedisServer { server in
            try await withFolder { outer in
                let file = outer.appendingPathComponent("token")
                try Data("\(token)\n".utf8).write(to: file)
                let port = try RawSocket.freePort()
                let arguments = ["--set", "admin.token_file=\(file.path)", "--log-level", "trace"]
                let listen = ["SLUICE_LISTEN": "127.0.0.1:\(port)"]
                try await withWorker(server, arguments, environment: listen) { process, _ in
                    let admin = "127.0.0.1:\(port)"
                    try await eventually("alive") { try await self.status(admin, "/livez") == 200 }
                    let without = try await sluice("lookup", "x", "--admin", admin)
                    #expect(without.status == 1)
                    #expect(without.errors.contains("requires a token"))
                    let wrong = try await sluice(
                        "lookup", "x", "--admin", admin, environment: ["SLUICE_TOKEN": "another-token-not-right"])
                    #expect(wrong.errors.contains("requires a token"))
                    // Alive, it may not have caught up yet.
                    try await eventually("answered") {
                        try await sluice("lookup", "x", "--admin", admin, environment: ["SLUICE_TOKEN": token])
                            .errors.contains("has no snapshot under this key")
                    }
                    let read = try await sluice("lookup", "x", "--admin", admin, "--token-file", file.path)
                    #expect(read.errors.contains("has no snapshot under this key"))
                    try await process.signal(SIGTERM)
                    let ending = try await process.end()
                    #expect(!(ending.output + ending.errors).contains(token))
                }
            }
        }
    }

    @Test(
        "A worker on an address that is not loopback needs a token or client certificates",
        arguments: [
            ("0.0.0.0:0", [], "pipeline.yaml:"), ("[::]:0", [], "other machines reach"),
            ("0.0.0.0:0", ["--set", "admin.token_file=/nonexistent"], "/nonexistent: cannot open it"),
            (
                "127.0.0.1:0",
                ["--set", "admin.tls.certificate_file=/no.crt", "--set", "admin.tls.key_file=/no.key"],
                "admin: tls: certificate_file: cannot read /no.crt"
            ),
        ])
    func refusal(listen: String, arguments: [String], message: String) async throws {
        try await withFolder { folder in
            let process = try SluiceProcess(
                ["run", ReferenceTests.pipelineFile] + arguments, in: folder, environment: ["SLUICE_LISTEN": listen])
            let ending = try await process.end()
            #expect(ending.status == 78)
            #expect(ending.errors.contains(message), "\(ending.errors)")
        }
    }

    @Test("With client certificates, only clients of that authority are accepted, and only over TLS")
    func mutualTLS() async throws {
        try await TestCertificates.with { certificates in
            try await withRedisServer { server in
                let port = try RawSocket.freePort()
                let arguments = [
                    "--set", "admin.tls.certificate_file=\(certificates.path("server.crt"))",
                    "--set", "admin.tls.key_file=\(certificates.path("server.key"))",
                    "--set", "admin.tls.client_ca_file=\(certificates.path("ca.crt"))",
                ]
                let listen = ["SLUICE_LISTEN": "0.0.0.0:\(port)"]
                try await withWorker(server, arguments, environment: listen) { process, _ in
                    let admin = "https://127.0.0.1:\(port)"
                    let ask = ["lookup", "x", "--admin", admin, "--ca-file", certificates.path("ca.crt")]
                    let client = [
                        "--certificate-file", certificates.path("client.crt"), "--key-file",
                        certificates.path("client.key"),
                    ]
                    let verb = { (arguments: [String]) in
                        try await withFolder { try await SluiceProcess(arguments, in: $0).end() }
                    }
                    try await eventually("let in") {
                        try await verb(ask + client).errors.contains("has no snapshot under this key")
                    }
                    #expect(try await verb(ask).errors.contains("no worker responds"))
                    let wrongRoots = ["lookup", "x", "--admin", admin, "--ca-file", certificates.path("other.crt")]
                    #expect(try await verb(wrongRoots + client).errors.contains("no worker responds"))
                    let plain = try await verb(["lookup", "x", "--admin", "127.0.0.1:\(port)"])
                    #expect(plain.errors.contains("no worker responds"))
                    try await process.signal(SIGTERM)
                    #expect(try await process.end().status == 0)
                }
            }
        }
    }

    private static func folder(_ name: String, in folder: URL) throws -> URL {
        let folder = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }
}
