import Foundation
import RESP
import RedisClient
import Testing

/// The rights that the operator's page gives the worker's user are enough, and none is too many.
@Suite struct RightsTests {
    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources/Packaging/README.md")

    /// The words of the `ACL SETUSER` lines of the page, with a password of their own.
    private static func lines() throws -> [[String]] {
        var lines: [[String]] = try String(contentsOf: self.page, encoding: .utf8).split(separator: "\n")
            .filter { $0.hasPrefix("ACL SETUSER ") }
            .map { $0.split(separator: " ").map { $0 == ">PASSWORD" ? ">hunter2" : String($0) } }
        // What the page says about older and newer servers.
        if ServerVersion.underTest.isRedis(7, 2) { lines[0].append("+client|setinfo") }
        if !ServerVersion.underTest.isRedis(7, 0) {
            lines[0] = lines[0].map { $0 == "+eval_ro" ? "+eval" : $0.replacing("%R~", with: "~") }
        }
        return lines
    }

    /// Has an administrator, who is the default user, set a user up.
    private func set(_ words: [String], _ server: RedisServer) async throws {
        try await withConnection(server.settings) { connection in
            let arguments = words.dropFirst().map { Array($0.utf8) }
            let answer = try await connection.command(RESPCommand("ACL", arguments: arguments))
            #expect(answer.string == "OK", "\(words)")
        }
    }

    private let environment = ["REDIS_USERNAME": "sluice", "REDIS_PASSWORD": "hunter2"]

    @Test("The worker runs with the first ACL line, and `sluice check` passes with both")
    func enough() async throws {
        let lines = try Self.lines()
        try #require(lines.count == 2)
        try await withRedisServer { server in
            try await self.set(lines[0], server)
            try await withConnection(server.settings) { connection in
                _ = try await connection.command(
                    RESPCommand(
                        "XADD", "gateway:session_events", "5-1", "device_session_id", "ds", "user_id", "u",
                        "client_public_key", "k", "status", "active"))
            }
            let arguments = [
                "--journal", "-", "--set", "source.redis_stream.start=beginning", "--set",
                "source.redis_stream.check_interval=100ms", "--set", "source.redis_stream.read_block=50ms",
                // A lost connection would be a warning.
                "--set", "source.redis_stream.read_margin=20s", "--set", "redis.connect_timeout=20s",
            ]
            try await withWorker(server, arguments, environment: self.environment) { process, _ in
                try await eventually("applied") { process.output.contains("\"entry\":\"5-1\"") }
                try await Task.sleep(for: .milliseconds(500))
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                #expect(ending.status == 0)
                #expect(!ending.errors.contains("warning") && !ending.errors.contains("error"), "\(ending.errors)")
            }
            try await self.set(lines[1], server)
            try await withFolder { folder in
                let given = self.environment.merging(["REDIS_ADDRESS": "\(server.address)"]) { old, _ in old }
                let check = try SluiceProcess(["check", ReferenceTests.pipelineFile], in: folder, environment: given)
                let ending = try await check.end()
                #expect(ending.status == 0, "\(ending.output)\(ending.errors)")
            }
        }
    }

    @Test("Without any one of the first line's commands, except optional ones, the worker does not run properly")
    func necessary() async throws {
        let line = try #require(try Self.lines().first)
        // Without scripts the worker asks for whole entries, and without names its connections have none.
        let optional = ["+eval_ro", "+eval", "+client|setname", "+client|setinfo"]
        #expect(line.count(where: optional.contains) >= 2)
        for command in line where command.hasPrefix("+") && !optional.contains(command) {
            try await withRedisServer { server in
                try await self.set(line.filter { $0 != command }, server)
                try await withConnection(server.settings) { connection in
                    _ = try await connection.command(RESPCommand("XADD", "gateway:session_events", "5-1", "a", "b"))
                }
                try await withWorker(server, environment: self.environment) { process, _ in
                    let ending = try await process.end()
                    #expect(ending.status == 1, "\(command): \(ending.errors)")
                    #expect(ending.errors.lowercased().contains("permission") || ending.errors.contains("NOPERM"))
                }
            }
        }
    }
}
