import ComponentKit
import Foundation
import RESP
import RedisClient
import RedisStreams
import StageKit
import StageTestKit
import Testing

/// Servers on which a command is renamed or disabled.
@Suite(.timeLimit(.minutes(10))) struct MissingCommandTests {
    /// Runs `sluice check` and returns its status and the step about permissions.
    private func check(
        _ server: RedisServer, _ arguments: [String] = [], step: String = "permissions"
    ) async throws -> (status: Int32, step: [String: String], output: String) {
        try await withFolder { folder in
            let ending = try await SluiceProcess(
                ["check", ReferenceTests.pipelineFile, "--format", "json", "--set", "redis.timeout=20s"] + arguments,
                in: folder, environment: ["REDIS_ADDRESS": "\(server.address)"]
            ).end()
            let object = try JSONSerialization.jsonObject(with: Data(ending.output.utf8)) as? [String: Any]
            let steps = object?["steps"] as? [[String: String]]
            return (ending.status, steps?.first { $0["step"] == step } ?? [:], ending.output + ending.errors)
        }
    }

    private static let store = "stores={ sessions: { redis: { key: device_session_id } } }"
    private static let group = [
        "--set", "source.redis_stream={ stream: gateway:session_events, group: g, on_gap: halt, read_block: 1s }",
        "--set", store,
    ]

    @Test(
        "check names a renamed or disabled command, and run fails with the same finding",
        arguments: [
            ("XINFO", [], "permissions", "XINFO STREAM"), ("XREAD", [], "permissions", "XREAD"),
            ("XREVRANGE", [], "permissions", "XREVRANGE"), ("XREADGROUP", group, "permissions", "XREADGROUP"),
            ("XPENDING", group, "permissions", "XPENDING"), ("XINFO", group, "permissions", "XINFO STREAM"),
            (
                "SCAN", ["--set", #"source.redis_stream.bootstrap={ keys: { match: "a:*", type: hash } }"#],
                "permissions",
                "SCAN"
            ),
            ("EVALSHA", ["--set", store], "store sessions permissions", "EVALSHA"),
        ] as [(String, [String], String, String)])
    func missing(command: String, arguments: [String], step: String, name: String) async throws {
        try await withRedisServer(.init(arguments: ["--rename-command", command, ""])) { server in
            let result = try await self.check(server, arguments, step: step)
            #expect(result.status == 1 && result.step["verdict"] == "bad", "\(result.output)")
            #expect(
                result.step["finding"]?.contains("\(name): the command is renamed or disabled on the server") == true,
                "\(result.output)")
            #expect(result.step["advice"]?.contains("remove rename-command \(command)") == true, "\(result.output)")
            #expect(result.step["advice"]?.contains("ACL") == false)
            #expect(result.step["advice"]?.contains("on_gap: continue") == (command == "XINFO"), "\(result.output)")
            try await withConnection(server.settings) { try await $0.addSession("a") }
            // These two are commands of other starts.
            let begin = ["--set", "source.redis_stream.start=beginning"]
            let start = ["XREVRANGE", "SCAN"].contains(command) ? [] : begin
            try await withWorker(server, arguments + start) { process, _ in
                let ending = try await process.end()
                #expect(ending.status == 1, "\(ending.errors)")
                #expect(ending.errors.contains("renamed or disabled (rename-command)"), "\(ending.errors)")
                #expect(ending.errors.contains("on_gap: continue") == (command == "XINFO"), "\(ending.errors)")
            }
        }
    }

    @Test("A missing permission is distinguished from a missing command")
    func permission() async throws {
        let users = ["user default on nopass ~* &* +@all -xinfo"]
        try await withRedisServer(.init(users: users)) { server in
            let result = try await self.check(server)
            #expect(result.step["finding"]?.contains("NOPERM") == true, "\(result.output)")
            #expect(result.step["advice"]?.hasPrefix("ACL SETUSER default +xinfo|stream, with") == true)
            #expect(result.step["advice"]?.contains("rename-command") == false)
        }
    }

    @Test("With on_gap: continue a worker continues without XINFO and logs that", arguments: [nil, "g"])
    func blind(group: String?) async throws {
        try await withRedisServer(.init(arguments: ["--rename-command", "XINFO", ""])) { server in
            let lenient = ["--set", "source.redis_stream.on_gap=continue"]
            let check = try await self.check(server, lenient)
            #expect(check.status == 0 && check.step["verdict"] == "warning", "\(check.output)")
            #expect(check.step["finding"]?.contains("without it lost entries are not detected") == true)
            let log = RecordingLog()
            var stream = RedisStreamSettings(stream: "s")
            stream.start = .beginning
            stream.onGap = .goOn
            stream.group = group.map { GroupSettings(name: $0) }
            stream.checkInterval = .milliseconds(20)
            stream.readBlock = .milliseconds(50)
            let source = RedisStreamSource(server.settings, stream, logger: log.logger(label: "test"))
            let delivered = Delivered()
            try await withRunning(source, { delivered.take($0) }) {
                try await withConnection(server.settings) { connection in
                    try await connection.add("s", "one")
                    try await eventually("delivered") { delivered.texts == ["one"] }
                    _ = try await connection.command(
                        RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
                    try await connection.add("s", "two")
                    try await eventually("delivered") { delivered.texts == ["one", "two"] }
                }
                #expect(!source.status.detectsGaps)
                #expect(log.lines.count { $0.message.hasPrefix("gaps cannot be detected") } == 1)
            }
        }
    }
}
