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

    /// The headers of a request, and the status of the response.
    private typealias Request = (name: String, headers: [[UInt8]], status: Int)

    /// Requests with the same response for all settings of nginx. Every request also claims to be another user.
    private static let requests: [Request] = [
        ("allowed", [id("ds-active")], 200),
        ("allowed, 1,000 bytes", [id(long)], 200),
        ("allowed, in capitals", [Array("X-DEVICE-SESSION-ID: ds-active".utf8)], 200),
        ("allowed, after others", others + [id("ds-active")], 200),
        ("a header whose name is as long", [id("ds-active"), Array("Sec-CH-UA: a".utf8)], 200),
        ("revoked", [id("ds-revoked")], 403),
        ("unknown", [id("ds-none")], 401),
        ("no id", [], 401),
        ("empty id", [id("")], 401),
        ("two ids", [id("ds-active"), id("ds-revoked")], 401),
        ("the same id twice", [id("ds-active"), id("ds-active")], 401),
        ("an id and an empty one", [id("ds-active"), id("")], 401),
        ("an empty id and another one", [id(""), id("ds-active")], 401),
        ("two ids, far apart", [id("ds-active")] + others + [id("ds-active")], 401),
        ("odd bytes", [Array("X-Device-Session-Id: ds-active".utf8) + [0xFF]], 401),
        ("a value with line ends", [id("ds-odd")], 403),
        ("a value with a deletion", [id("ds-delete")], 403),
        ("a value as long as the buffer", [id("ds-full")], 200),
        ("a value that is too long", [id("ds-long")], 403),
    ]

    /// Headers with underscores. nginx drops them, or passes them on with `underscores_in_headers on`.
    private static let underscored: [(dropped: Request, passed: Int)] = [
        (("a second id, underscored", [id("ds-active"), Array("X_Device_Session_Id: ds-revoked".utf8)], 200), 401),
        (("an underscored id first", [Array("X-Device_Session-Id: ds-revoked".utf8), id("ds-active")], 200), 401),
        (("underscored users", [id("ds-active"), Array("X_User_Id: a".utf8), Array("x-user_id: b".utf8)], 200), 200),
    ]

    @Test(
        "nginx with LuaJIT admits exactly the allowed sessions",
        .enabled(
            if: NginxWithLua() != nil && ToolRun.isInstalled("cc"),
            """
            nginx has no Lua module: install libnginx-mod-http-lua, or unpack it with libnginx-mod-http-ndk, \
            libluajit2-5.1-2, libpcre3, lua-resty-core and lua-resty-lrucache into a directory named by SLUICE_NGINX_LUA
            """), arguments: [false, true])
    func lua(passesUnderscores: Bool) async throws {
        let underscored: [Request] = Self.underscored.map { request, passed in
            (request.name, request.headers, passesUnderscores ? passed : request.status)
        }
        let requests = Self.requests + underscored
        let settings = passesUnderscores ? "underscores_in_headers on;" : ""
        try await self.withNginx(settings) { port, application, arguments in
            try await withRedisServer { server in
                try await self.fill(server)
                try await withWorker(server, arguments) { worker, _ in
                    for request in requests { try await self.check(request, port, application) }
                    try await worker.signal(SIGKILL)
                    try await eventually("stale") { await self.ask(port, [Self.id("ds-active")]).status == 503 }
                    for request in requests where request.status != 401 {
                        #expect(await self.ask(port, request.headers).status == 503, "\(request.name)")
                    }
                }
            }
        }
    }

    @Test(
        "nginx lets nobody in if its configuration does not pass the user on",
        .enabled(if: NginxWithLua() != nil && ToolRun.isInstalled("cc"), "nginx has no Lua module"),
        arguments: [
            ["        proxy_set_header X-User-Id $sluice_user;\n"],
            ["        proxy_set_header X-User-Id $sluice_user;\n", "map $host $sluice_user { default \"\"; }\n"],
        ])
    func omission(lines: [String]) async throws {
        let change = { (text: String) in lines.reduce(text) { $0.replacing($1, with: "") } }
        try await self.withNginx(change: change) { port, application, arguments in
            try await withRedisServer { server in
                try await self.fill(server)
                try await withWorker(server, arguments) { _, _ in
                    try await eventually("the script runs") { await self.ask(port, [Self.id("ds-none")]).status == 401 }
                    try await eventually("an error") { await self.ask(port, [Self.id("ds-active")]).status == 500 }
                    #expect(application.requests == 0)
                }
            }
        }
    }

    /// Runs nginx with the guide's configuration in front of an application.
    private func withNginx(
        _ settings: String = "", change: (String) -> String = { $0 },
        _ body: (_ port: Int, _ application: ApplicationServer, _ worker: [String]) async throws -> Void
    ) async throws {
        let nginx = try #require(NginxWithLua())
        try await withFolder { folder in
            try await LookupLibrary.build(in: folder)
            let path = folder.path + "/store/sessions"
            try await ApplicationServer.with { application, applicationPort in
                let port = try RawSocket.freePort()
                let gateway = try nginx.start(
                    in: folder, sessions: path, port: port, application: applicationPort, settings: settings,
                    change: change)
                defer { gateway.end() }
                try await body(port, application, SharedMemoryTests.arguments(path))
            }
        }
    }

    private func check(_ request: Request, _ port: Int, _ application: ApplicationServer) async throws {
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
        let user = request.headers.contains(Self.id("ds-full")) ? Self.full : "alice"
        if passes { #expect(answer.text.hasSuffix("user=\(user)\n"), "\(request.name): \(answer.text)") }
    }

    private func ask(_ port: Int, _ headers: [[UInt8]]) async -> RawAnswer {
        await RawAnswer.to(port, headers + [Array("X-User-Id: mallory".utf8)], target: "/page")
    }

    /// A user as long as the script's buffer.
    private static let full = String(repeating: "u", count: 256)

    private func fill(_ server: RedisServer) async throws {
        let sessions = [
            ("ds-active", "active", "alice"), (Self.long, "active", "alice"), ("ds-revoked", "active", "alice"),
            ("ds-revoked", "revoked", "alice"), ("ds-odd", "active", "bob\r\nX-User-Id: admin"),
            ("ds-delete", "active", "alice\u{7F}"), ("ds-full", "active", Self.full),
            ("ds-long", "active", Self.full + "u"),
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
