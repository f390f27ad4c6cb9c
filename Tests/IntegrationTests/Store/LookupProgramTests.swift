import CSluiceLookup
import Foundation
import RESP
import RedisClient
import Testing

/// The example programs of the documentation read a worker's shared store, and let nobody in who should not.
@Suite(.timeLimit(.minutes(10))) struct LookupProgramTests {
    @Test("A program in C reads a worker's sessions", .enabled(if: LookupLanguage.c.isAvailable, "cc is not installed"))
    func c() async throws { try await self.check(.c) }

    @Test(
        "A program in Python reads a worker's sessions",
        .enabled(if: LookupLanguage.python.isAvailable, "python3 or cc is not installed"))
    func python() async throws { try await self.check(.python) }

    @Test(
        "A program in Go reads a worker's sessions",
        .enabled(if: LookupLanguage.go.isAvailable, "go or cc is not installed"))
    func go() async throws { try await self.check(.go) }

    private func check(_ language: LookupLanguage) async throws {
        try await withFolder { folder in
            try await LookupLibrary.build(in: folder)
            let path = folder.path + "/store/sessions"
            let command = try await language.command(in: folder) + [path, "ds-1", "ds-2", "ds-3"]
            func answers() async throws -> String {
                let run = try await ToolRun(command, in: folder)
                #expect(run.status == 0, "\(run.output)")
                return run.output
            }
            let stale = "ds-1 stale \nds-2 stale \nds-3 stale \n"
            #expect(try await answers() == stale)
            try await withRedisServer { server in
                try await SharedMemoryTests().add(
                    server, [SharedMemoryTests.session("ds-1", "active"), SharedMemoryTests.session("ds-2", "revoked")])
                let reader = try SharedMemoryTests.Reader(path)
                try await withWorker(server, SharedMemoryTests.arguments(path)) { worker, _ in
                    // The store is being filled first, and on a busy machine it may be stale for a moment.
                    var found = ""
                    try await eventually("the sessions are read: \(language)") {
                        found = try await answers()
                        return found == "ds-1 allowed u\nds-2 refused \nds-3 absent \n"
                    }
                    try await worker.signal(SIGKILL)
                    try await eventually("stale") { reader.ask("ds-1") == SLUICE_STALE }
                    #expect(try await answers() == stale)
                }
            }
        }
    }

    private static func id(_ key: String) -> [UInt8] { Array("X-Device-Session-Id: \(key)".utf8) }

    private static let long = String(repeating: "k", count: 1000)

    /// More headers than Lua reads by default.
    private static let others: [[UInt8]] = (0..<150).map { Array("X-Other-\($0): a".utf8) }

    /// The headers of a request, and the status of the response. Every request also claims to be another user.
    private static let requests: [(name: String, headers: [[UInt8]], status: Int)] = [
        ("allowed", [id("ds-active")], 200),
        ("allowed, 1,000 bytes", [id(long)], 200),
        ("revoked", [id("ds-revoked")], 403),
        ("unknown", [id("ds-none")], 401),
        ("no id", [], 401),
        ("empty id", [id("")], 401),
        ("two ids", [id("ds-active"), id("ds-revoked")], 401),
        ("two ids, far apart", [id("ds-active")] + others + [id("ds-active")], 401),
        ("odd bytes", [Array("X-Device-Session-Id: ds-active".utf8) + [0xFF]], 401),
        ("a value with line ends", [id("ds-odd")], 403),
        ("a value that is too long", [id("ds-long")], 403),
    ]

    @Test(
        "nginx with LuaJIT admits exactly the allowed sessions",
        .enabled(
            if: NginxWithLua() != nil && ToolRun.isInstalled("cc"),
            """
            nginx has no Lua module: install libnginx-mod-http-lua, or unpack it with libnginx-mod-http-ndk, \
            libluajit2-5.1-2, libpcre3, lua-resty-core and lua-resty-lrucache into a directory named by SLUICE_NGINX_LUA
            """))
    func lua() async throws {
        let nginx = try #require(NginxWithLua())
        try await withRedisServer { server in
            try await self.fill(server)
            try await withFolder { folder in
                try await LookupLibrary.build(in: folder)
                let path = folder.path + "/store/sessions"
                try await ApplicationServer.with { application, applicationPort in
                    let port = try RawSocket.freePort()
                    let gateway = try nginx.start(in: folder, sessions: path, port: port, application: applicationPort)
                    defer { gateway.end() }
                    try await withWorker(server, SharedMemoryTests.arguments(path)) { worker, _ in
                        try await self.askAll(port, application)
                        try await worker.signal(SIGKILL)
                        try await eventually("stale") { await self.ask(port, [Self.id("ds-active")]).status == 503 }
                        for request in Self.requests where request.status != 401 {
                            #expect(await self.ask(port, request.headers).status == 503, "\(request.name)")
                        }
                    }
                }
            }
        }
    }

    private func askAll(_ port: Int, _ application: ApplicationServer) async throws {
        for request in Self.requests {
            var before = application.requests
            var answer = await self.ask(port, request.headers)
            // nginx starts, the store is being filled, or on a busy machine it is stale for a moment.
            try await eventually("\(request.name) is answered with \(request.status)") {
                before = application.requests
                answer = await self.ask(port, request.headers)
                return answer.status == request.status
            }
            let passes = request.status == 200
            #expect(application.requests - before == (passes ? 1 : 0), "\(request.name): \(answer.text)")
            if passes { #expect(answer.text.hasSuffix("user=alice\n"), "\(request.name): \(answer.text)") }
        }
    }

    private func ask(_ port: Int, _ headers: [[UInt8]]) async -> RawAnswer {
        await RawAnswer.to(port, headers + [Array("X-User-Id: mallory".utf8)])
    }

    private func fill(_ server: RedisServer) async throws {
        let sessions = [
            ("ds-active", "active", "alice"), (Self.long, "active", "alice"), ("ds-revoked", "active", "alice"),
            ("ds-revoked", "revoked", "alice"), ("ds-odd", "active", "bob\r\nX-User-Id: admin"),
            ("ds-long", "active", String(repeating: "u", count: 257)),
        ]
        try await withConnection(server.settings) { connection in
            for (key, status, user) in sessions {
                let values = [
                    "gateway:session_events", "*", "device_session_id", key, "user_id", user, "client_public_key", "k",
                    "status", status,
                ]
                _ = try await connection.command(RESPCommand("XADD", arguments: values.map { Array($0.utf8) }))
            }
        }
    }
}
