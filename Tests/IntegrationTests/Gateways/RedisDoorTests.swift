import Foundation
import RESP
import RedisClient
import Testing

/// Real clients at the Redis door of a real worker.
@Suite(.timeLimit(.minutes(10))) struct RedisDoorTests {
    /// A worker with a Redis door.
    private struct Worker {
        let server: RedisServer
        let process: SluiceProcess
        let folder: URL
        /// The Unix socket of the door.
        let socket: String
        /// The TCP port of the door.
        let port: Int

        /// Adds an entry to the stream.
        func add(_ key: String, _ status: String) async throws {
            try await withConnection(self.server.settings) { connection in
                let values = [
                    "gateway:session_events", "*", "device_session_id", key, "user_id", "alice", "client_public_key",
                    "k", "status", status,
                ]
                _ = try await connection.command(RESPCommand("XADD", arguments: values.map { Array($0.utf8) }))
            }
        }

        /// Runs redis-cli on the Unix socket; returns what it prints.
        func ask(_ words: String...) async throws -> String {
            try await RedisClients.runBeside(
                ["redis-cli", "-s", self.socket] + words, in: self.folder, log: "cli.log"
            ).output.trimmingCharacters(in: .newlines)
        }
    }

    /// Runs the shipped pipeline with a Redis door, and calls `body` once the door answers.
    private func withWorker(
        _ options: RedisServer.Options = RedisServer.Options(), settings: [String] = [], password: String? = nil,
        _ body: (Worker) async throws -> Void
    ) async throws {
        try await withRedisServer(options) { server in
            try await withFolder { folder in
                let (port, socket) = (try RawSocket.freePort(), "\(folder.path)/door.sock")
                var door = "listen: [ \"unix:\(socket)\", \"127.0.0.1:\(port)\" ]"
                if let password {
                    try Data(password.utf8).write(to: folder.appendingPathComponent("password"))
                    door += ", password_file: \(folder.path)/password"
                }
                let all =
                    [
                        "redis.timeout=20s", "source.redis_stream.start=beginning",
                        "stores.sessions.memory.conditions={ active: { status: active } }",
                        "gateway={ store: sessions, redis: { \(door) } }",
                    ] + settings
                let process = try SluiceProcess(
                    ["run", ReferenceTests.pipelineFile] + all.flatMap { ["--set", $0] }, in: folder,
                    environment: ["REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "unix:\(folder.path)/admin"])
                defer { process.kill() }
                let worker = Worker(server: server, process: process, folder: folder, socket: socket, port: port)
                try await eventually("the door listens: \(process.errors)") {
                    FileManager.default.fileExists(atPath: socket)
                }
                try await body(worker)
            }
        }
    }

    @Test(
        "redis-cli reads sessions, lists them, and is refused when it writes",
        .enabled(if: RedisClients.hasCommandLine, "redis-cli is not installed"))
    func commandLine() async throws {
        try await self.withWorker { worker in
            for index in 0..<50 { try await worker.add("ds-\(index)", "active") }
            try await worker.add("ds-7", "revoked")
            try await eventually("the store is filled") {
                try await worker.ask("HGET", "sessions:ds-7", "status") == "revoked"
            }
            #expect(try await worker.ask("PING") == "PONG")
            let all = try await worker.ask("HGETALL", "sessions:ds-1").split(separator: "\n")
            #expect(Set(all).isSuperset(of: ["device_session_id", "ds-1", "user_id", "alice", "status", "active"]))
            // redis-cli prints a map of RESP3 in its own form.
            #expect(try await worker.ask("-3", "HGETALL", "sessions:ds-1").contains("status"))
            #expect(try await worker.ask("HMGET", "sessions:ds-1", "user_id", "x") == "alice")
            #expect(try await worker.ask("EXISTS", "sessions:ds-1", "sessions:none") == "1")
            #expect(try await worker.ask("TYPE", "sessions:ds-1") == "hash")
            #expect(try await worker.ask("TTL", "sessions:ds-1") == "-1")
            #expect(try await worker.ask("SISMEMBER", "sessions:active", "ds-1") == "1")
            #expect(try await worker.ask("SISMEMBER", "sessions:active", "ds-7") == "0")
            let json = try await worker.ask("GET", "sessions:ds-7")
            #expect(json.hasPrefix("{\"key\":\"ds-7\",\"entry\":") && json.contains("\"status\":\"revoked\""))
            let keys = try await worker.ask("--scan", "--pattern", "sessions:ds-*").split(separator: "\n")
            #expect(Set(keys.map(String.init)) == Set((0..<50).map { "sessions:ds-\($0)" }) && keys.count == 50)
            #expect(try await worker.ask("SET", "sessions:ds-1", "x").hasPrefix("READONLY "))
            #expect(try await worker.ask("NOTHING").hasPrefix("ERR unknown command"))
            let information = try await worker.ask("INFO")
            #expect(information.contains("server_name:sluice") && information.contains("db0:keys=50"))
            #expect(try await worker.ask("COMMAND", "COUNT").allSatisfy(\.isNumber))
            #expect(try await worker.ask("COMMAND", "DOCS", "hgetall").contains("Returns all fields of a session."))
        }
    }

    @Test(
        "redis-cli reads messages about revocations, in the form of the publisher",
        .enabled(if: RedisClients.hasCommandLine, "redis-cli is not installed"))
    func messages() async throws {
        try await self.withWorker(settings: ["revocations={ publish: { channel: revoked-sessions } }"]) { worker in
            // redis-cli ends with its standard input, so the shell kills it.
            func follow(_ address: [String], _ log: String) throws -> Child {
                let command = ["redis-cli"] + address + ["SUBSCRIBE", "revoked-sessions"]
                let script = "exec 3<&0; \"$@\" 3<&- & client=$!; read line <&3; kill $client; wait $client"
                return try Child(["/bin/sh", "-c", script, "sh"] + command, in: worker.folder, log: log)
            }
            let servers = "\(worker.server.address)".replacing("unix:", with: "")
            let here = try follow(["-s", worker.socket], "door.log")
            defer { here.end() }
            let there = try follow(["-s", servers], "server.log")
            defer { there.end() }
            func lines(_ log: String) -> [String] {
                let path = worker.folder.appendingPathComponent(log).path
                return ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").map(
                    String.init)
            }
            for log in ["door.log", "server.log"] {
                try await eventually("\(log) is subscribed") { lines(log).contains("subscribe") }
            }
            try await worker.add("ds-1", "revoked")
            try await worker.add("ds-2", "nonsense")
            for log in ["door.log", "server.log"] {
                try await eventually("\(log) has both messages") { lines(log).contains { $0.contains("\"ds-2\"") } }
            }
            // All lines behind the confirmation, and no others: both are told of the same things in the same form.
            #expect(lines("door.log") == lines("server.log"))
            #expect(lines("door.log").contains { $0.hasPrefix("{\"key\":\"ds-1\",\"entry\":\"") })
        }
    }

    @Test(
        "redis-py caches sessions, sees each change, and never answers from a cache of a stale store",
        .enabled(if: RedisClients.hasPython, "redis-py is not installed: pip install redis"))
    func python() async throws {
        try await self.withWorker(
            settings: ["source.redis_stream.max_staleness=8s", "source.redis_stream.read_block=300ms"]
        ) { worker in
            let fixtures = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
            let script = fixtures.appendingPathComponent("redis_door.py").path
            let server = "\(worker.server.address)".replacing("unix:", with: "")
            let (status, output) = try await RedisClients.runBeside(
                ["python3", script, "\(worker.port)", server], in: worker.folder, log: "python.log")
            #expect(status == 0 && output.hasSuffix("ok\n"), "\(output)\n\(worker.process.errors)")
        }
    }

    @Test("hiredis reads sessions, one by one and many together")
    func hiredis() async throws {
        try await self.withWorker { worker in
            try await worker.add("ds-1", "active")
            let client = try HiredisConnection(path: worker.socket)
            try await eventually("the store is filled") {
                try client.send([["HGET", "sessions:ds-1", "status"]]) == ["active"]
            }
            let commands = [
                ["HMGET", "sessions:ds-1", "user_id", "none", "status"], ["EXISTS", "sessions:ds-1", "sessions:none"],
                ["HGET", "sessions:none", "status"], ["SISMEMBER", "sessions:active", "ds-1"],
                ["DEL", "sessions:ds-1"],
            ]
            let replies = try client.send(Array(repeating: commands, count: 300).flatMap(\.self))
            #expect(replies.count == 1500)
            for index in replies.indices where index % 5 != 4 {
                #expect(replies[index] == ["[alice nil active]", ":1", "nil", ":1"][index % 5])
            }
            #expect(replies[4].hasPrefix("-READONLY "))
        }
    }

    @Test(
        "The password is needed at every address, and SIGHUP reads it again",
        .enabled(if: RedisClients.hasCommandLine, "redis-cli is not installed"))
    func password() async throws {
        try await self.withWorker(password: "the-first-password") { worker in
            try await worker.add("ds-1", "active")
            #expect(try await worker.ask("HGETALL", "sessions:ds-1") == "NOAUTH Authentication required.")
            try await eventually("the session can be read") {
                try await worker.ask("--no-auth-warning", "-a", "the-first-password", "HGET", "sessions:ds-1", "status")
                    == "active"
            }
            #expect(try await worker.ask("--no-auth-warning", "-a", "the-wrong-password", "PING").contains("WRONGPASS"))
            let file = worker.folder.appendingPathComponent("password")
            try Data("the-second-password".utf8).write(to: file)
            try await worker.process.signal(SIGHUP)
            try await eventually("the new password is valid") {
                try await worker.ask("--no-auth-warning", "-a", "the-second-password", "PING") == "PONG"
            }
            #expect(try await worker.ask("--no-auth-warning", "-a", "the-first-password", "PING").contains("WRONGPASS"))
        }
    }
}
