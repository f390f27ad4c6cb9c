import Foundation
import RESP
import RedisClient
import Testing

/// What cannot be mended by waiting ends the worker with 1; what can is tried again until a signal.
@Suite struct RefusalTests {
    private static let secret = "hunter2-is-no-password"

    private func expectFailure(
        _ server: RedisServer, _ texts: [String], _ arguments: [String] = [], environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let ending = try await withWorker(server, arguments, environment: environment) { process, _ in
            try await process.end()
        }
        #expect(ending.status == 1, "\(ending.errors)", sourceLocation: sourceLocation)
        let last = ending.errors.split(separator: "\n").last { $0.contains("critical") } ?? ""
        for text in texts { #expect(last.contains(text), "\(ending.errors)", sourceLocation: sourceLocation) }
        #expect(!ending.errors.contains(Self.secret) && !ending.output.contains(Self.secret))
    }

    @Test("A wrong or missing password ends the run, and no output shows it")
    func password() async throws {
        try await withRedisServer(.init(arguments: ["--requirepass", "right"])) { server in
            try await self.expectFailure(
                server, ["WRONGPASS", "check redis.username and the password"], ["--log-level", "trace"],
                environment: ["REDIS_PASSWORD": Self.secret])
            try await self.expectFailure(server, ["NOAUTH", "redis.password"])
            let file = server.folder.appendingPathComponent("password")
            try "\(Self.secret)\n".write(to: file, atomically: true, encoding: .utf8)
            try await self.expectFailure(server, ["WRONGPASS"], ["--set", "redis.password_file=\(file.path)"])
        }
    }

    @Test("A key of another type, a missing permission or a missing database ends the run")
    func notServed() async throws {
        let users = ["user default on nopass ~* &* +@all -xread"]
        try await withRedisServer(.init(users: users)) { server in
            try await self.expectFailure(server, ["NOPERM", "ACL SETUSER"])
            try await self.expectFailure(server, ["redis.database"], environment: ["REDIS_DATABASE": "99"])
            try await withConnection(server.settings) {
                _ = try await $0.command(RESPCommand("SET", "gateway:session_events", "x"))
            }
            try await self.expectFailure(server, ["WRONGTYPE", "choose another key, or delete this one"])
        }
    }

    @Test(
        "An unknown authority, an expired certificate or a missing file ends the run",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func certificates() async throws {
        try await TestCertificates.with { certificates in
            try await withRedisServer(.init(tls: certificates)) { server in
                try await self.expectFailure(
                    server, ["not signed by a trusted authority"],
                    ["--set", "redis.tls={ ca_file: \(certificates.path("other.crt")) }"])
                try await self.expectFailure(
                    server, ["redis.tls.ca_file"], ["--set", "redis.tls={ ca_file: /nonexistent.pem }"])
            }
            try await withRedisServer(.init(tls: certificates, certificate: "expired")) { server in
                try await self.expectFailure(
                    server, ["has expired"], ["--set", "redis.tls={ ca_file: \(certificates.path("ca.crt")) }"])
            }
        }
    }

    @Test("A journal that cannot be opened or an HTTP address in use ends the run")
    func surroundings() async throws {
        try await withRedisServer { server in
            try await self.expectFailure(
                server, ["cannot open the journal /nonexistent/j"], ["--journal", "/nonexistent/j"])
            try await self.expectFailure(
                server, ["cannot listen on unix:/nonexistent/a", "admin.listen"],
                environment: ["SLUICE_LISTEN": "unix:/nonexistent/a"])
        }
    }

    @Test("A worker waits for a missing server with warnings, and SIGTERM ends it with 0")
    func noServer() async throws {
        try await withRedisServer { server in
            server.kill()
            try await withWorker(server) { process, _ in
                try await eventually("warned twice") {
                    process.errors.components(separatedBy: "reconnecting").count > 2
                }
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                #expect(ending.status == 0, "\(ending.errors)")
                #expect(ending.errors.contains("warning") && !ending.errors.contains("critical"))
            }
        }
    }

    @Test("TLS to a plaintext port exits with 1 and the setting to change")
    func plainPort() async throws {
        try await withRedisServer(.init(usesTCP: true)) { server in
            let arguments = ["--set", "redis.connect_timeout=2s"]
            try await withWorker(server, arguments, environment: ["REDIS_TLS": "true"]) { process, _ in
                let ending = try await process.end()
                #expect(ending.status == 1, "\(ending.errors)")
                #expect(ending.errors.contains("does this port use TLS (redis.tls)?"))
            }
        }
    }
}
