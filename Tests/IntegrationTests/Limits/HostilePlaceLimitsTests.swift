import Foundation
import RESP
import RedisClient
import Testing

/// Files, limits and names of a machine that others use too, and keys of others on the server.
@Suite(.serialized, .enabled(if: LimitTable.isWanted)) struct HostilePlaceLimitsTests {
    private func withWorker(
        more: String = "", source: String = "start: beginning", store: String = "memory: { key: id }",
        prepare: (RedisConnection, URL) async throws -> Void = { _, _ in },
        _ body: (LimitWorker, RedisConnection) async throws -> Void
    ) async throws {
        try await withFolder { shared in
            try await withRedisServer { server in
                try await withConnection(server.settings) { connection in
                    try await prepare(connection, shared)
                    let text = LimitWorker.file(
                        source: source, redis: "address: \"\(server.address)\"", store: store, more: more
                    ).replacingOccurrences(of: "SHARED", with: shared.path)
                    try await LimitWorker.with(text) { try await body($0, connection) }
                }
            }
        }
    }

    @Test("A checkpoint that is a symbolic link remains one")
    func symbolicLink() async throws {
        var target = ""
        try await self.withWorker(
            more: "checkpoint: { path: SHARED/checkpoint, interval: 100ms }", source: "start: resume",
            prepare: { _, shared in
                try FileManager.default.createDirectory(
                    at: shared.appendingPathComponent("disk"), withIntermediateDirectories: true)
                target = shared.path + "/disk/checkpoint"
                try FileManager.default.createSymbolicLink(
                    atPath: shared.path + "/checkpoint", withDestinationPath: target)
            }
        ) { worker, connection in
            try await worker.ready()
            try await connection.addTexts(3, bytes: 10)
            try await eventually("saved") { FileManager.default.fileExists(atPath: target) }
            try await worker.stop()
            let link = target.replacingOccurrences(of: "/disk", with: "")
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == target)
            #expect(try Data(contentsOf: URL(fileURLWithPath: target)).count > 10)
        }
        try LimitTable.add(
            .hostile, "a checkpoint path that is a symbolic link", "the link stays, its target is written")
    }

    @Test("A world-writable checkpoint is not read")
    func planted() async throws {
        try await self.withWorker(
            more: "checkpoint: { path: SHARED/checkpoint, interval: 100ms }", source: "start: resume",
            prepare: { _, shared in
                let path = shared.path + "/checkpoint"
                try Data("planted".utf8).write(to: URL(fileURLWithPath: path))
                #expect(chmod(path, 0o666) == 0)
            }
        ) { worker, _ in
            try await worker.ready()
            #expect(worker.process.errors.contains("others may write"), "\(worker.process.errors)")
            #expect(try await worker.get("/metrics").body.contains("gaps_total{kind=\"checkpoint\"} 1\n"))
            try await worker.stop()
        }
        try LimitTable.add(
            .hostile, "a planted checkpoint with mode 0666",
            "not read: a gap of the kind checkpoint is reported, the worker starts without it")
    }

    @Test("The Unix socket of the HTTP interface and the journal are private")
    func modes() async throws {
        try await self.withWorker { worker, _ in
            try await worker.ready()
            for (file, forbidden) in [("admin", 0o077), ("journal", 0o027)] {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(worker.folder.path)/\(file)")
                let mode = try #require(attributes[.posixPermissions] as? Int)
                #expect(mode & forbidden == 0, "\(file): \(String(mode, radix: 8))")
            }
            try await worker.stop()
        }
        try LimitTable.add(.hostile, "other users of the machine", "the socket has mode 0600, the journal 0640")
    }

    /// Runs a shell script with the command as `$0` and a pipeline file as `$1`.
    private func shell(_ script: String, in folder: URL) throws -> Child {
        try Child(["/bin/sh", "-c", script, SluiceProcess.executable, "p.yaml"], in: folder, log: "log")
    }

    @Test("A low open file limit is raised or reported clearly", arguments: [8, 16, 20, 24, 32, 64])
    func openFiles(limit: Int) async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let file = LimitWorker.file(
                    redis: "address: \"\(server.address)\"", listen: "unix:\(folder.path)/admin")
                try Data(file.utf8).write(to: folder.appendingPathComponent("p.yaml"))
                let child = try self.shell(
                    "ulimit -n \(limit); \"$0\" run \"$1\" & echo $! >pid; wait $!", in: folder)
                var status: Int32?
                try await eventually("ended or listening") {
                    status = child.endedStatus()
                    return status != nil || FileManager.default.fileExists(atPath: "\(folder.path)/admin")
                }
                if status == nil {
                    kill(try await processID(in: folder.appendingPathComponent("pid")), SIGTERM)
                    try await eventually("ended") {
                        status = child.endedStatus()
                        return status != nil
                    }
                    #expect(status == 0)
                    try LimitTable.add(.hostile, "ulimit -n \(limit)", "runs, and SIGTERM ends it with status 0")
                } else {
                    let log = try String(contentsOf: folder.appendingPathComponent("log"), encoding: .utf8)
                    #expect(status == 1 && log.contains("open files"), "\(status ?? -1) \(log)")
                    try LimitTable.add(.hostile, "ulimit -n \(limit)", "exit status 1 with the limit that is needed")
                }
            }
        }
    }

    @Test("SIGTERM ends a worker whose standard error nobody reads")
    func stderr() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let file = LimitWorker.file(
                    redis: "address: \"\(server.address)\"", listen: "unix:\(folder.path)/admin")
                try Data(file.utf8).write(to: folder.appendingPathComponent("p.yaml"))
                let reader = try fullFIFO(folder.appendingPathComponent("fifo").path)
                defer { close(reader) }
                let child = try self.shell(
                    "\"$0\" run \"$1\" --log-level trace 2>fifo & echo $! >pid; wait $!", in: folder)
                try await eventually("listening") { FileManager.default.fileExists(atPath: "\(folder.path)/admin") }
                kill(try await processID(in: folder.appendingPathComponent("pid")), SIGTERM)
                var status: Int32?
                try await eventually("ended") {
                    status = child.endedStatus()
                    return status != nil
                }
                #expect(status == 0)
            }
        }
        try LimitTable.add(
            .hostile, "standard error is a full pipe that nobody reads", "reads on, SIGTERM ends it with status 0")
    }

    @Test("A pipeline file that has become a FIFO is refused, and the next reload works")
    func fifo() async throws {
        try await self.withWorker { worker, _ in
            try await worker.ready()
            let path = worker.folder.appendingPathComponent("p.yaml").path
            let text = try Data(contentsOf: URL(fileURLWithPath: path))
            try FileManager.default.removeItem(atPath: path)
            try #require(mkfifo(path, 0o600) == 0)
            try await worker.process.signal(SIGHUP)
            try await eventually("refused") { worker.process.errors.contains("is not a regular file") }
            try FileManager.default.removeItem(atPath: path)
            try text.write(to: URL(fileURLWithPath: path))
            try await worker.process.signal(SIGHUP)
            try await eventually("read again") { worker.process.errors.contains("reload: no changes") }
            try await worker.stop()
        }
        try LimitTable.add(
            .hostile, "SIGHUP while the file is a FIFO", "the reload is refused, the next one and SIGTERM work")
    }

    @Test(
        "Prefixes that overlap other keys are errors",
        arguments: [
            ("things: { redis: { key: id, prefix: \"ev\" } }", "start: beginning"),
            (
                "things: { redis: { key: id, prefix: \"x:\" } }, more: { redis: { key: id, prefix: \"x:y:\" } }",
                "start: beginning"
            ),
            (
                "things: { redis: { key: id, prefix: \"k:\" } }",
                "bootstrap: { keys: { match: \"k:*\", type: hash } }"
            ),
        ])
    func prefixes(stores: String, source: String) async throws {
        let text = """
            pipeline: limits
            redis: { address: "127.0.0.1:1" }
            source: { redis_stream: { stream: \(LimitWorker.stream), \(source) } }
            stores: { \(stores) }
            stages:
              - decode: { fields: { id: { required: true, blank: reject } } }
              - upsert: { store: things }
            """
        let ending = try await sluice("validate", "p.yaml", files: ["p.yaml": text])
        #expect(ending.status == 78, "\(ending)")
        let line = try #require(ending.errors.split(separator: "\n").first { $0.contains("prefix") }, "\(ending)")
        let message = line.split(separator: " ", maxSplits: 1).last ?? ""
        try LimitTable.add(
            .hostile, "`\(stores)`, `\(source)`, stream `\(LimitWorker.stream)`", "`validate`: \(message)")
    }

    @Test("Emptying a store leaves foreign keys alone")
    func emptying() async throws {
        try await self.withWorker(
            source: "start: beginning, check_interval: 100ms", store: "redis: { key: id, prefix: \"x:\" }",
            prepare: { connection, _ in
                for command in [
                    RESPCommand("SET", "x:text", "1"), RESPCommand("HSET", "x:hash", "a", "1"),
                    RESPCommand("XADD", "x:stream", "*", "a", "1"), RESPCommand("HSET", "x:y:k", "id", "k"),
                ] { _ = try await connection.command(command) }
            }
        ) { worker, connection in
            try await worker.ready()
            try await connection.addTexts(3, bytes: 10)
            try await eventually("written") { try await connection.command(RESPCommand("EXISTS", "x:k3")).integer == 1 }
            _ = try await connection.command(RESPCommand("DEL", LimitWorker.stream))
            try await eventually("emptied") { try await connection.command(RESPCommand("EXISTS", "x:k3")).integer == 0 }
            for key in ["x:text", "x:hash", "x:stream", "x:y:k"] {
                #expect(try await connection.command(RESPCommand("EXISTS", key)).integer == 1, "\(key)")
            }
            try await worker.stop()
        }
        try LimitTable.add(
            .hostile, "keys of others under the prefix of a redis store that is emptied after a gap",
            "the store's snapshots are removed, all other keys stay")
    }
}
