import Foundation
import NIOSSL
import RESP
import RedisClient
import Testing

@testable import Commands

/// Servers and clients that mean harm.
@Suite(.serialized, .enabled(if: LimitTable.isWanted)) struct HostilePeerLimitsTests {
    private static let secret = "hunter2-secret-battery"

    @Test("A plaintext sentinel beside redis.tls gets no password")
    func sentinel() async throws {
        try await FakeServer.with({ _ in "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n" }) { fake in
            let redis = """
                password: \(Self.secret), tls: true, connect_timeout: 2s, sentinel: { master: main, \
                password: \(Self.secret), addresses: ["127.0.0.1:\(fake.port)"] }
                """
            try await LimitWorker.with(LimitWorker.file(redis: redis)) { worker in
                let ending = try await worker.process.end()
                #expect(ending.status == 1 && ending.errors.contains("TLS"), "\(ending.errors)")
                #expect(!fake.text.contains(Self.secret) && !fake.text.contains("SENTINEL"))
                #expect(!ending.errors.contains(Self.secret))
            }
        }
        try LimitTable.add(
            .hostile, "a sentinel without TLS beside redis.tls", "a TLS handshake and no password sent, exit status 1")
    }

    @Test("MOVED without redis.cluster is not followed", arguments: ["MOVED", "ASK"])
    func redirection(kind: String) async throws {
        try await FakeServer.with({ _ in "+OK\r\n" }) { other in
            let port = other.port
            let answer: @Sendable (String) -> String? = { name in
                switch name {
                case "AUTH", "SELECT": "+OK\r\n"
                case "CLIENT": ":7\r\n"
                case "PING": "+PONG\r\n"
                default: "-\(kind) 866 127.0.0.1:\(port)\r\n"
                }
            }
            try await FakeServer.with(answer) { server in
                let redis = "address: \"127.0.0.1:\(server.port)\", password: \(Self.secret)"
                try await LimitWorker.with(LimitWorker.file(redis: redis)) { worker in
                    let ending = try await worker.process.end()
                    #expect(ending.status == 1 && ending.errors.contains("use redis.cluster"), "\(ending.errors)")
                }
                #expect(server.text.contains(Self.secret))
                #expect(other.connectionCount == 0, "\(other.text)")
            }
        }
        try LimitTable.add(
            .hostile, "\(kind) from a server without redis.cluster",
            "no connection to the named host, exit status 1 with the advice to use redis.cluster")
    }

    @Test("A client sends its token to no server with old TLS or another name", arguments: HTTPSTests.cases)
    func oldTLS(server: HTTPSTests.Case) async throws {
        guard !server.isGood else { return }
        try await TestCertificates.with { certificates in
            try await TLSServer.with(certificates, showing: server.certificate, upTo: server.version) { peer in
                try await withFolder { folder in
                    try Data(Self.secret.utf8).write(to: folder.appendingPathComponent("token"))
                    let lookup = try SluiceProcess(
                        [
                            "lookup", "k", "--store", "things", "--admin", "https://\(server.host):\(peer.port)",
                            "--token-file", "token", "--ca-file", certificates.path("ca.crt"),
                        ], in: folder)
                    #expect(try await lookup.end().status == 1)
                }
                #expect(peer.text.isEmpty, "\(peer.text)")
            }
        }
        let version = server.version == nil ? "" : ", TLS 1.1"
        try LimitTable.add(
            .hostile, "HTTPS server called \(server.host) with the certificate \"\(server.certificate)\"\(version)",
            "`sluice lookup` sends no request and no token, exit status 1")
    }

    /// Runs a worker whose HTTP interface has a port and a token.
    private func withHTTP(_ body: (LimitWorker, Int) async throws -> Void) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { try await $0.addTexts(1, bytes: 10) }
            let port = try RawSocket.freePort()
            let file = LimitWorker.file(
                redis: "address: \"\(server.address)\"", listen: "0.0.0.0:\(port)\", token: \"\(Self.secret)")
            try await LimitWorker.with(file) { worker in
                try await eventually("ready") {
                    (try? RawHTTP.status(port: port, Self.request("/readyz"))) == 200
                }
                try await body(worker, port)
                try await worker.stop()
            }
        }
    }

    private static let bearer = "Authorization: Bearer \(secret)\r\n"

    private static func request(_ path: String, _ headers: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(headers)Connection: close\r\n\r\n"
    }

    @Test(
        "Idle connections keep no client out", arguments: [128, 300],
        ["", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /metrics HTTP/1.1\r\nHo"])
    func crowd(count: Int, words: String) async throws {
        try await self.withHTTP { _, port in
            var idle: [RawHTTP] = []
            for _ in 0..<count {
                let connection = try RawHTTP(port: port)
                connection.send(words)
                idle.append(connection)
            }
            for _ in 0..<3 {
                #expect(try RawHTTP.status(port: port, Self.request("/livez")) == 200)
                #expect(try RawHTTP.status(port: port, Self.request("/v1/stores/things/k1", Self.bearer)) == 200)
            }
            withExtendedLifetime(idle) {}
        }
        let what = words.isEmpty ? "say nothing" : words.hasSuffix("Ho") ? "stop within a header" : "ask /livez once"
        try LimitTable.add(
            .hostile, "\(count) connections without a token that \(what)",
            "probes and lookups with the token answered with 200 beside them")
    }

    /// A request, the status of its response, and what it is.
    private static let requests: [(what: String, request: String, status: Int)] = [
        ("HTTP/1.1 without Host", "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        ("HTTP/1.1 with two Hosts", "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", 400),
        (
            "a request of another site's page",
            Self.request("/metrics", Self.bearer + "Sec-Fetch-Site: cross-site\r\n"), 403
        ),
        ("the same of a sibling site", Self.request("/metrics", Self.bearer + "Sec-Fetch-Site: same-site\r\n"), 403),
        ("no token", Self.request("/metrics"), 401),
        ("a wrong token", Self.request("/metrics", "Authorization: Bearer x\r\n"), 401),
        ("an empty key", Self.request("/v1/stores/things/", Self.bearer), 400),
    ]

    @Test("Malformed, cross-site and unauthorized requests are refused", arguments: requests)
    func refused(what: String, request: String, status: Int) async throws {
        try await self.withHTTP { _, port in
            let found = try RawHTTP.status(port: port, request)
            #expect(found == status)
            #expect(try RawHTTP.status(port: port, Self.request("/livez")) == 200)
        }
        try LimitTable.add(.hostile, what, "\(status)")
    }

    @Test("HTTP/1.0 gets a response and the connection is closed")
    func oldHTTP() async throws {
        try await self.withHTTP { _, port in
            let connection = try RawHTTP(port: port)
            connection.send("GET /livez HTTP/1.0\r\n\r\n")
            let answer = connection.readToEnd()
            #expect(answer.isClosed && answer.text.contains(" 200 "), "\(answer)")
        }
        try LimitTable.add(.hostile, "HTTP/1.0", "200, and the connection is closed")
    }

    @Test("Event streams forbid proxies to buffer or transform them")
    func eventStream() async throws {
        try await self.withHTTP { _, port in
            let connection = try RawHTTP(port: port, timeout: 5)
            connection.send("GET /v1/revocations HTTP/1.1\r\nHost: localhost\r\n\(Self.bearer)\r\n")
            // The stream goes on for ever: it is read for as long as something comes each few seconds.
            var text = ""
            try await eventually("the head") {
                text += connection.readOnce()
                return text.contains("event: hello")
            }
            let head = text.lowercased()
            #expect(head.contains("x-accel-buffering: no\r\n") && head.contains("no-transform"), "\(text)")
        }
        try LimitTable.add(.hostile, "a buffering proxy before an event stream", "X-Accel-Buffering: no, no-transform")
    }

    @Test("A value cannot control a terminal, and a secret value is not shown")
    func controls() async throws {
        let key = "k\u{1B}[2J\u{9B}31m\u{7F}\u{202E}x"
        try await withRedisServer { server in
            let file = LimitWorker.file(redis: "address: \"\(server.address)\"")
            try await LimitWorker.with(file) { worker in
                try await worker.ready()
                try await withConnection(server.settings) { connection in
                    _ = try await connection.command(
                        RESPCommand(
                            "XADD", LimitWorker.stream, "*", "id", key, "status", "\u{9B}m", "text", Self.secret))
                }
                try await eventually("read") { worker.journal.count == 1 }
                var shown = ""
                for arguments in [["lookup", key], ["export"], ["explain", key]] {
                    for format in arguments[0] == "explain" ? [[], ["--format", "json"]] : [[]] {
                        let ending = try await SluiceProcess(
                            arguments + ["--admin", "unix:\(worker.folder.path)/admin"] + format, in: worker.folder
                        ).end()
                        #expect(ending.status == 0, "\(arguments) \(ending.errors)")
                        shown += ending.output + ending.errors
                    }
                }
                shown +=
                    (try? String(contentsOf: worker.folder.appendingPathComponent("journal"), encoding: .utf8)) ?? ""
                for scalar: Unicode.Scalar in ["\u{1B}", "\u{9B}", "\u{7F}", "\u{202E}"] {
                    #expect(!shown.unicodeScalars.contains(scalar), "U+\(String(scalar.value, radix: 16))")
                }
                try await worker.stop()
            }
        }
        try LimitTable.add(
            .hostile, "a key with ESC, C1, DEL and bidirectional controls",
            "escaped in the journal and the output of `lookup`, `export` and `explain`")
    }
}
