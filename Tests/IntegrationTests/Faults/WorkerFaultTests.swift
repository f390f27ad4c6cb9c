import ComponentKit
import Foundation
import RESP
import RedisClient
import SnapshotStores
import StageKit
import Testing

@Suite struct WorkerFaultTests {
    /// How often the worker is killed: a few times among all tests, 200 times by `make faults`.
    private static var kills: Int {
        FaultTable.isLong ? 200 : 6
    }

    private static let resuming = [
        "--set", "source.redis_stream.start=resume", "--set", "source.redis_stream.check_interval=50ms",
    ]

    /// What a running worker holds, by session; nil while it does not answer.
    private func export(_ folder: URL) async throws -> [String: String]? {
        let ending = try await sluice("export", "--admin", "unix:\(folder.path)/admin")
        guard ending.status == 0 else { return nil }
        var found: [String: String] = [:]
        for line in ending.output.split(separator: "\n") {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let fields = object?["fields"] as? [String: String]
            if let key = object?["key"] as? String { found[key] = fields?["status"] }
        }
        return found
    }

    @Test("A worker with a checkpoint that is killed repeatedly loses nothing and restores nothing revoked")
    func killed() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let flow = SessionFlow()
                let settings = server.settings
                var generator = SystemRandomNumberGenerator()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await flow.run { settings } }
                    let arguments =
                        ["run", ReferenceTests.pipelineFile] + Self.resuming + [
                            "--set", "source.redis_stream.bootstrap=stream",
                            "--set", "checkpoint={ path: \(folder.path)/checkpoint, interval: 20ms }",
                        ]
                    let environment = [
                        "REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "unix:\(folder.path)/admin",
                    ]
                    var resumed = 0
                    for round in 0...Self.kills {
                        try? FileManager.default.removeItem(atPath: "\(folder.path)/pid")
                        let worker = try SluiceProcess(arguments, in: folder, environment: environment)
                        if round < Self.kills {
                            // Every other one has started and left a checkpoint, however slow the machine.
                            if !round.isMultiple(of: 2) {
                                try await eventually("started") { worker.errors.contains("reading the stream") }
                                try await eventually("a checkpoint") {
                                    FileManager.default.fileExists(atPath: "\(folder.path)/checkpoint")
                                }
                            }
                            try await Task.sleep(for: .milliseconds(Int.random(in: 100...900, using: &generator)))
                            worker.kill()
                            if worker.errors.contains("resuming from the checkpoint") { resumed += 1 }
                            continue
                        }
                        flow.stop()
                        let started = ContinuousClock.now
                        try await eventually("everything is held") {
                            var expected: [String: String] = [:]
                            for entry in flow.log {
                                expected["s\(entry.session)"] = entry.isRevoked ? "revoked" : "active"
                            }
                            return try await self.export(folder) == expected
                        }
                        #expect(!worker.errors.contains("entries of the stream are lost"), "\(worker.errors)")
                        FaultTable.add(
                            "worker killed \(Self.kills) times at random moments, with a checkpoint",
                            entries: flow.log.count, told: "none", wrong: 0, revoked: 0, ContinuousClock.now - started)
                        FaultTable.write()
                        try await worker.signal(SIGTERM)
                        #expect(try await worker.end().status == 0)
                    }
                    #expect(resumed > 0)
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("A worker suspended for longer than max_staleness refuses lookups")
    func stopped() async throws {
        try await withRedisServer { server in
            let arguments = [
                "--set", "source.redis_stream.max_staleness=1s", "--set", "source.redis_stream.read_block=200ms",
            ]
            try await withWorker(server, arguments) { process, folder in
                try await withConnection(server.settings) { connection in
                    let admin = "unix:\(folder.path)/admin"
                    try await eventually("reading") { process.errors.contains("reading the stream") }
                    try await connection.addSession("a", "active")
                    try await eventually("served") {
                        try await sluice("lookup", "a", "--admin", admin).output.contains(#""status":"active""#)
                    }
                    try await process.signal(SIGSTOP)
                    try await connection.addSession("a", "revoked")
                    // Nobody reads or answers meanwhile: the connection to the server is cut as well.
                    _ = try await connection.command(
                        RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
                    try await Task.sleep(for: .milliseconds(1500))
                    try await process.signal(SIGCONT)
                    let resumed = ContinuousClock.now
                    for _ in 0..<5 {
                        let found = try await sluice("lookup", "a", "--admin", admin)
                        #expect(!found.output.contains(#""status":"active""#), "\(found)")
                    }
                    try await eventually("right again") {
                        try await sluice("lookup", "a", "--admin", admin).output.contains(#""status":"revoked""#)
                    }
                    FaultTable.add(
                        "worker stopped for longer than max_staleness", entries: 2, told: "stale", wrong: 0, revoked: 0,
                        ContinuousClock.now - resumed)
                    FaultTable.write()
                    server.kill()
                    try await eventually("refused") {
                        let found = try await sluice("lookup", "a", "--admin", admin)
                        return found.status == 1 && found.errors.contains("stale")
                    }
                    try await process.signal(SIGTERM)
                    _ = try await process.end()
                }
            }
        }
    }

    @Test("A torn checkpoint, or one of another stream, is reported as a gap, and the store is refilled")
    func unusable() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let path = "\(folder.path)/checkpoint"
                func pipeline(_ stream: String) throws -> SessionPipeline {
                    try SessionPipeline(
                        server.address, ["start": "resume", "bootstrap": "stream", "stream": stream],
                        others: ["checkpoint": "{ path: \(path), interval: 10ms }"])
                }
                try await withConnection(server.settings) { connection in
                    let last = try await connection.addSession("a")
                    for (change, gap) in [(0, false), (1, true), (0, false), (2, true)] {
                        if change == 1 {
                            let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                            try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: path))
                        }
                        let stream = change == 2 ? "other" : SessionPipeline.stream
                        let session = try pipeline(stream)
                        try await session.run {
                            try await session.caughtUp(change == 2 ? nil : last)
                            try await eventually("as it should be") {
                                session.sessions == (change == 2 ? [:] : ["a": "active"])
                            }
                            #expect(session.status.gaps == (gap ? ["checkpoint": 1] : [:]))
                        }
                        #expect(FileManager.default.fileExists(atPath: path))
                    }
                }
            }
        }
    }

    @Test("Stores are filled from keys, and later entries win", arguments: ["hash", "json"])
    func keys(form: String) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for index in 0..<700 {
                    let status = index % 7 == 0 ? "revoked" : "active"
                    let fields = ["user_id", "u", "client_public_key", "k", "status", status]
                    if form == "hash" {
                        _ = try await connection.command(
                            RESPCommand("HSET", arguments: (["session:k\(index)"] + fields).map { Array($0.utf8) }))
                    } else {
                        let text =
                            #"{"user_id":"u","client_public_key":"k","status":"\#(status)","revoked_at_ms":\#(index)}"#
                        _ = try await connection.command(RESPCommand("SET", "session:k\(index)", text))
                    }
                }
                _ = try await connection.command(RESPCommand("SET", "session:odd", "[1]"))
                try await connection.addSession("old")
                let session = try SessionPipeline(
                    server.address,
                    [
                        "bootstrap":
                            "{ keys: { match: 'session:*', type: \(form), key_field: device_session_id, count: 50 } }"
                    ])
                try await session.run {
                    try await session.caughtUp()
                    #expect(session.store.count == 700)
                    #expect(session.sessions["k7"] == "revoked" && session.sessions["k8"] == "active")
                    #expect(session.sessions["old"] == nil)
                    let id = try await connection.addSession("k8", "revoked")
                    try await session.caughtUp(id)
                    #expect(session.sessions["k8"] == "revoked")
                }
            }
        }
    }
}
