import Foundation
import RESP
import RedisClient
import Testing

/// Real gateways with the configurations of the guide, in every situation: nobody gets in who should not.
@Suite(.timeLimit(.minutes(10))) struct GatewayMatrixTests {
    /// What a client sends, and whether it may pass.
    private struct Situation {
        let name: String
        let headers: [[UInt8]]
        var passes = false
    }

    private static let long = String(repeating: "k", count: 1000)

    private static func id(_ key: String) -> [UInt8] { Array("X-Device-Session-Id: \(key)".utf8) }

    /// The situations while the worker is fresh. Every request also claims to be another user.
    private static let situations = [
        Situation(name: "allowed", headers: [id("ds-active")], passes: true),
        Situation(name: "allowed, by cookie", headers: [Array("Cookie: a=b; sid=ds-active".utf8)], passes: true),
        Situation(
            name: "allowed, by a second cookie header",
            headers: [Array("Cookie: a=b".utf8), Array("Cookie: sid=ds-active".utf8)],
            passes: true),
        Situation(name: "allowed, by bearer", headers: [Array("Authorization: Bearer ds-active".utf8)], passes: true),
        Situation(name: "allowed, 1,000 bytes", headers: [id(long)], passes: true),
        Situation(name: "revoked", headers: [id("ds-revoked")]),
        Situation(name: "evicted", headers: [id("ds-evicted")]),
        Situation(name: "no id", headers: []),
        Situation(name: "empty id", headers: [id("")]),
        Situation(name: "unknown id", headers: [id("ds-none")]),
        Situation(name: "1,000 bytes", headers: [id(String(repeating: "x", count: 1000))]),
        Situation(name: "odd bytes", headers: [Array("X-Device-Session-Id: ds-active".utf8) + [0xFF]]),
        Situation(name: "path, query", headers: [id("../sessions/ds-active?x=ds-active#%00")]),
        Situation(name: "two ids", headers: [id("ds-active"), id("ds-revoked")]),
        Situation(
            name: "two ids in cookies",
            headers: [Array("Cookie: sid=ds-active".utf8), Array("Cookie: sid=ds-revoked".utf8)]),
        Situation(name: "odd value", headers: [id("ds-odd")]),
    ]

    private func fill(_ server: RedisServer) async throws {
        try await withConnection(server.settings) { connection in
            func add(_ key: String, _ status: String, user: String = "alice") async throws {
                let values = [
                    "gateway:session_events", "*", "device_session_id", key, "user_id", user, "client_public_key", "k",
                    "status", status,
                ]
                _ = try await connection.command(RESPCommand("XADD", arguments: values.map { Array($0.utf8) }))
            }
            try await add("ds-active", "active")
            try await add(Self.long, "active")
            try await add("ds-revoked", "active")
            try await add("ds-revoked", "revoked")
            try await add("ds-evicted", "active")
            try await add("ds-evicted", "suspended")
            try await add("ds-odd", "active", user: "bob\r\nX-User-Id: admin")
        }
    }

    /// Headers that an application could take for the user.
    private static let claims = ["X-User-Id", "X_User_Id", "X_User-Id", "X-User_Id"].map { name in
        Array("\(name): mallory".utf8)
    }

    /// Asks with these headers, as a client that claims to be another user.
    private func ask(_ port: Int, _ headers: [[UInt8]]) async -> RawAnswer {
        await RawAnswer.to(port, headers + Self.claims, target: "/page?a=b")
    }

    @Test(
        "Every gateway admits exactly the allowed sessions in every situation",
        .enabled(
            if: GatewayProgram.allCases.contains(where: \.isInstalled),
            "neither nginx, Caddy, HAProxy nor Envoy is installed"))
    func matrix() async throws {
        let programs = GatewayProgram.allCases.filter(\.isInstalled)
        for program in GatewayProgram.allCases where !program.isInstalled {
            print("skipped: \(program.rawValue) is not installed")
        }
        try await withRedisServer { server in
            try await self.fill(server)
            try await ApplicationServer.with { application, applicationPort in
                try await self.withGateways(server, programs, applicationPort) { gateways, door, process in
                    let expected = try GatewayGuideTests.statuses(of: programs)
                    let rows = try await self.askAll(gateways, door, application, process, server, expected)
                    Self.show(programs, rows)
                    #expect(rows.map(\.name) == expected.map(\.name))
                }
            }
        }
    }

    private typealias Row = GatewayGuideTests.Row

    private func askAll(
        _ gateways: [Int], _ door: Int, _ application: ApplicationServer, _ process: SluiceProcess,
        _ server: RedisServer, _ expected: [Row]
    ) async throws -> [Row] {
        var rows: [Row] = []
        func row(_ situation: Situation) async {
            let title = situation.name
            let wanted = expected.first { $0.name == title }?.statuses
            var statuses: [Int] = []
            for (index, port) in gateways.enumerated() {
                var answer = RawAnswer(status: 0, text: "")
                func ask() async -> Int {
                    let before = application.requests
                    answer = await self.ask(port, situation.headers)
                    let name = "\(title): \(answer.text)"
                    if !situation.passes { #expect(answer.status != 200, "\(name)") }
                    #expect(application.requests - before == (answer.status == 200 ? 1 : 0), "\(name)")
                    if answer.status == 200 { #expect(answer.text.hasSuffix("user=alice\n"), "\(name)") }
                    return answer.status
                }
                // On a busy machine a gateway may not get its answer in time, or the worker may be stale for a moment:
                // every answer is safe, and the one that the guide states comes in the end.
                if let wanted {
                    try? await eventually("\(title) has its status") { await ask() == wanted[index] }
                    #expect(answer.status == wanted[index], "\(title), \(index): \(answer.text)")
                } else {
                    Issue.record("the guide has no row: \(title)")
                    _ = await ask()
                }
                statuses.append(answer.status)
            }
            rows.append(Row(name: title, statuses: statuses))
        }
        for situation in Self.situations { await row(situation) }
        // Without its server, the worker gets no news, and grows stale.
        server.kill()
        try await eventually("the worker is stale") {
            await RawAnswer.to(door, [Self.id("ds-active")]).text.contains("X-Sluice-Decision: stale")
        }
        let stale = [("", [Self.id("ds-active")]), (", revoked", [Self.id("ds-revoked")]), (", no id", [])]
        for (name, headers) in stale { await row(Situation(name: "worker stale\(name)", headers: headers)) }
        try await process.signal(SIGSTOP)
        await row(Situation(name: "worker stopped", headers: [Self.id("ds-active")]))
        process.kill()
        await row(Situation(name: "worker gone", headers: [Self.id("ds-active")]))
        return rows
    }

    /// Runs a worker with the door of the guide, and gateways in front of it.
    private func withGateways(
        _ server: RedisServer, _ programs: [GatewayProgram], _ application: Int,
        _ body: ([Int], Int, SluiceProcess) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            let doors = GatewayProgram.Ports(
                http: try RawSocket.freePort(), grpc: try RawSocket.freePort(), application: application)
            let shipped = try String(contentsOfFile: ReferenceTests.pipelineFile, encoding: .utf8)
            let text = try shipped + GatewayProgram.sections(doors)
            try Data(text.utf8).write(to: folder.appendingPathComponent("pipeline.yaml"))
            let settings = [
                "redis.timeout=20s", "source.redis_stream.start=beginning", "source.redis_stream.max_staleness=5s",
                "source.redis_stream.read_block=500ms",
            ]
            let process = try SluiceProcess(
                ["run", "pipeline.yaml"] + settings.flatMap { ["--set", $0] }, in: folder,
                environment: ["REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "unix:\(folder.path)/admin"])
            defer { process.kill() }
            var gateways: [Int] = []
            var children: [Child] = []
            defer { for child in children { child.end() } }
            for program in programs {
                var ports = doors
                ports.gateway = try RawSocket.freePort()
                let own = folder.appendingPathComponent(program.rawValue)
                try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
                // nginx's worker process has another user.
                try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: own.path)
                children.append(try program.start(in: own, ports))
                gateways.append(ports.gateway)
            }
            try await eventually("the worker has filled its store") {
                await RawAnswer.to(doors.http, [Self.id("ds-evicted")]).text.contains("X-Sluice-Decision: absent")
            }
            for port in gateways {
                try await eventually("the gateway listens") { await self.ask(port, []).status != 0 }
            }
            try await body(gateways, doors.http, process)
        }
    }

    private static func show(_ programs: [GatewayProgram], _ rows: [Row]) {
        var lines = ["| situation | \(programs.map(\.title).joined(separator: " | ")) |"]
        lines.append("| --- |\(String(repeating: " --- |", count: programs.count))")
        for row in rows {
            lines.append("| \(row.name) | \(row.statuses.map(String.init).joined(separator: " | ")) |")
        }
        let wrong = rows.flatMap { row in row.statuses.filter { $0 == 200 && !row.name.hasPrefix("allowed") } }.count
        print(lines.joined(separator: "\n") + "\nlet in who should not be: \(wrong)")
    }
}
