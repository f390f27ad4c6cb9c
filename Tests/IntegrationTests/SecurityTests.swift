import ComponentKit
import Foundation
import RESP
import RedisClient
import RedisStreams
import StageKit
import Testing

@Suite struct SecurityTests {
    /// How a run that cannot succeed ends.
    private func failure(
        _ server: RedisServer, stream: String = "s", _ change: (inout RedisSettings) -> Void = { _ in }
    ) async throws -> RedisError {
        let source = RedisStreamSource(server, stream: stream, change: change)
        let run = Task { try await source.run { _ in } }
        try await eventually("failed") { source.status.lastError != nil }
        // Ends the run too where it takes the failure for one that passes.
        source.stop()
        let told = source.status.lastError ?? ""
        let error = await #expect(throws: RedisError.self, "\(told)") { try await run.value }
        #expect(error?.isTransient == false)
        #expect(source.status.lastError == error?.message)
        return try #require(error)
    }

    /// Whether an entry gets through.
    private func expectReads(_ server: RedisServer, _ change: @escaping (inout RedisSettings) -> Void) async throws {
        var settings = server.settings
        change(&settings)
        try await withConnection(settings) { _ = try await $0.add("s", "through", id: "1") }
        let (source, delivered) = (RedisStreamSource(server, start: .beginning, change: change), Delivered())
        try await withRunning(source, { delivered.take($0) }) {
            try await eventually("delivered") { delivered.texts == ["through"] }
        }
    }

    @Test("A wrong, missing or unnecessary password ends the run, and no text shows it")
    func passwords() async throws {
        try await withRedisServer(.init(arguments: ["--requirepass", "right"])) { server in
            let wrong = try await self.failure(server) { $0.password = Secret("hunter2") }
            #expect(wrong.code == .authentication && !wrong.message.contains("hunter2"))
            let none = try await self.failure(server)
            #expect(none.code == .authentication && none.message.contains("redis.password"))
            try await self.expectReads(server) { $0.password = Secret("right") }
        }
        try await withRedisServer { server in
            let unwanted = try await self.failure(server) { $0.password = Secret("hunter2") }
            #expect(unwanted.code == .authentication && unwanted.message.contains("remove redis.password"))
        }
    }

    @Test("A user with read permission only and a password from a file can read")
    func userAndFile() async throws {
        let users = [
            "user default off", "user owner on >owner ~* &* +@all",
            "user reader on >se#cret ~s +xread +xrevrange +xinfo|stream",
        ]
        try await withRedisServer(.init(users: users)) { server in
            let file = server.folder.appendingPathComponent("password")
            try "se#cret\n".write(to: file, atomically: true, encoding: .utf8)
            func asReader(_ settings: inout RedisSettings) {
                settings.username = "reader"
                settings.passwordFile = file.path
            }
            var owner = server.settings
            (owner.username, owner.password) = ("owner", Secret("owner"))
            try await withConnection(owner) { _ = try await $0.add("s", "through", id: "1") }
            let source = RedisStreamSource(server, start: .beginning, change: asReader)
            let delivered = Delivered()
            try await withRunning(source, { delivered.take($0) }) {
                try await eventually("delivered") { delivered.texts == ["through"] }
            }
            let other = try await self.failure(server, stream: "t", asReader)
            #expect(other.code == .permission && other.message.contains("ACL SETUSER"))
            let missing = try await self.failure(server) { $0.passwordFile = "/nonexistent" }
            #expect(missing.code == .badSettings && missing.message.contains("/nonexistent"))
        }
    }

    @Test("A key of another type ends the run")
    func wrongType() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { _ = try await $0.command(RESPCommand("SET", "s", "x")) }
            let error = try await self.failure(server)
            #expect(error.code == .wrongType && error.message.contains("WRONGTYPE"))
        }
    }

    @Test("The configured database is used, and a missing one ends the run")
    func database() async throws {
        try await withRedisServer(.init(usesTCP: true)) { server in
            try await self.expectReads(server) { $0.database = 3 }
            try await withConnection(server.settings) { connection in
                let inFirst = try await connection.command(RESPCommand("EXISTS", "s"))
                #expect(inFirst == .integer(0))
            }
            let error = try await self.failure(server) { $0.database = 99 }
            #expect(error.code == .badSettings && error.message.contains("redis.database"))
        }
    }

    @Test(
        "TLS works by address and by name, and with a client certificate if the server requires one",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func tls() async throws {
        try await TestCertificates.with { certificates in
            try await withRedisServer(.init(tls: certificates)) { server in
                try await self.expectReads(server) { _ in }
                try await withConnection(server.settings) { _ = try await $0.command(RESPCommand("DEL", "s")) }
                try await self.expectReads(server) { $0.tls?.serverName = "localhost" }
            }
            try await withRedisServer(.init(tls: certificates, wantsClientCertificate: true)) { server in
                try await self.expectReads(server) { settings in
                    settings.tls?.certificateFile = certificates.path("client.crt")
                    settings.tls?.keyFile = certificates.path("client.key")
                }
                let error = try await self.failure(server)
                #expect(error.code == .tls && error.message.contains("requires a client certificate"), "\(error)")
            }
        }
    }

    @Test(
        "An unknown authority, an expired certificate, another name and a missing file are distinguished",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func tlsFailures() async throws {
        try await TestCertificates.with { certificates in
            try await withRedisServer(.init(tls: certificates)) { server in
                for change: @Sendable (inout TLSSettings) -> Void in [
                    { $0.caFile = certificates.path("other.crt") }, { $0.caFile = nil },
                ] {
                    let unknown = try await self.failure(server) { settings in
                        if var tls = settings.tls {
                            change(&tls)
                            settings.tls = tls
                        }
                    }
                    #expect(
                        unknown.code == .tls && unknown.message.contains("not signed by a trusted authority"),
                        "\(unknown)")
                }
                let name = try await self.failure(server) { $0.tls?.serverName = "redis.example" }
                #expect(name.code == .tls && name.message.contains("for another name"), "\(name)")
                let missing = try await self.failure(server) { $0.tls?.caFile = "/nonexistent.pem" }
                #expect(missing.code == .badSettings && missing.message.contains("redis.tls.ca_file"), "\(missing)")
            }
            try await withRedisServer(.init(tls: certificates, certificate: "misnamed")) { server in
                let name = try await self.failure(server)
                #expect(name.code == .tls && name.message.contains("for another name"), "\(name)")
            }
            try await withRedisServer(.init(tls: certificates, certificate: "expired")) { server in
                let expired = try await self.failure(server)
                #expect(expired.code == .tls && expired.message.contains("has expired"), "\(expired)")
            }
        }
    }

    @Test(
        "TLS to a plain port, and plain to a TLS port, end in time and say what to set",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func mixedUp() async throws {
        try await withRedisServer(.init(usesTCP: true)) { server in
            var settings = server.settings
            settings.tls = TLSSettings()
            settings.connectTimeout = .seconds(3)
            let error = await #expect(throws: RedisError.self) { try await withConnection(settings) { _ in } }
            #expect(error?.message.contains("use TLS") == true, "\(error?.message ?? "")")
        }
        try await TestCertificates.with { certificates in
            try await withRedisServer(.init(tls: certificates)) { server in
                var settings = server.settings
                settings.tls = nil
                settings.timeout = .seconds(1)
                let error = await #expect(throws: RedisError.self) { try await withConnection(settings) { _ in } }
                #expect(error?.message.contains("expect TLS (redis.tls)") == true, "\(error?.message ?? "")")
            }
        }
    }
}
