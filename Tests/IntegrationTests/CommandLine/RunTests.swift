import Foundation
import RESP
import RedisClient
import Testing

@testable import Commands

@Suite struct RunTests {
    private static let stream = "gateway:session_events"

    /// Adds one good entry for each id.
    private func add(_ ids: Range<Int>, _ connection: RedisConnection) async throws {
        // A connection takes about a thousand commands without an answer.
        for start in stride(from: ids.lowerBound, to: ids.upperBound, by: 500) {
            let commands = (start..<min(start + 500, ids.upperBound)).map { id in
                RESPCommand(
                    "XADD", Self.stream, "\(id)-0", "device_session_id", "ds-\(id)", "user_id", "u",
                    "client_public_key", "k", "status", "active")
            }
            for reply in connection.submit(commands) {
                let added = try await reply.reply().value().string
                #expect(added != nil)
            }
        }
    }

    private func journal(_ folder: URL, _ name: String = "journal") -> [String] {
        let data = try? Data(contentsOf: folder.appendingPathComponent(name))
        return String(decoding: data ?? Data(), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func line(_ id: Int) -> String {
        #"{"entry":"\#(id)-0","outcome":"applied","key":"ds-\#(id)","effects":["upsert"]}"#
    }

    /// Waits until a read of the worker waits in the server.
    private func untilBlocked(_ connection: RedisConnection) async throws {
        try await eventually("a blocked read") {
            let clients = try await connection.command(RESPCommand("CLIENT", "LIST")).string ?? ""
            return clients.split(separator: "\n").contains { $0.contains("cmd=xread") && $0.contains("flags=b") }
        }
    }

    @Test("SIGTERM and SIGINT during a blocked read of 30 s exit with 0 after all earlier entries were applied")
    func signals() async throws {
        try await withRedisServer { server in
            let arguments = ["--journal", "journal", "--set", "source.redis_stream.read_block=30s"]
            for (signal, ids) in [(SIGTERM, 1..<1001), (SIGINT, 1001..<1301)] {
                try await withWorker(server, arguments) { process, folder in
                    try await withConnection(server.settings) { connection in
                        try await self.untilBlocked(connection)
                        try await self.add(ids, connection)
                        try await eventually("all applied") { self.journal(folder).count == ids.count }
                        try await self.untilBlocked(connection)
                    }
                    let (clock, sent) = (ContinuousClock(), ContinuousClock().now)
                    try await process.signal(signal)
                    let ending = try await process.end()
                    // Told, not asserted: a busy machine may take its time.
                    print("signal \(signal) in a blocked read of 30 s: ended after \(clock.now - sent)")
                    #expect(ending.status == 0, "\(ending.errors)")
                    #expect(self.journal(folder) == ids.map { self.line($0) })
                }
            }
        }
    }

    @Test("A signal under load leaves a journal without gaps, duplicates or incomplete lines")
    func signalAmidFlow() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { try await self.add(1..<4001, $0) }
            let arguments = ["--journal", "journal", "--set", "source.redis_stream.start=beginning"]
            try await withWorker(server, arguments) { process, folder in
                try await eventually("begun") { !self.journal(folder).isEmpty }
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                #expect(ending.status == 0, "\(ending.errors)")
                let lines = self.journal(folder)
                #expect(lines == (1...lines.count).map { self.line($0) })
                #expect(lines.count % 128 == 0 || lines.count == 4000, "whole batches: \(lines.count)")
            }
        }
    }

    @Test("Journal lines have the fixed form, on standard output too, with other bytes than UTF-8 in key_b64")
    func journalForm() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let good = ["user_id", "u", "client_public_key", "k", "status"].map { Array($0.utf8) }
                let entries: [[[UInt8]]] = [
                    [Array("device_session_id".utf8), Array("ds-\"1\"".utf8)] + good + [Array("revoked".utf8)],
                    [Array("device_session_id".utf8), Array("ds-2".utf8)],
                    [Array("device_session_id".utf8), [0xFF, 0xFE]] + good + [Array("active".utf8)],
                    [Array("device_session_id".utf8), Array("ds-3".utf8)] + good + [Array("asleep".utf8)],
                    [Array("user_id".utf8), Array("u".utf8)],
                ]
                for (index, fields) in entries.enumerated() {
                    let head = [Self.stream, "170000000000\(index)-0"].map { Array($0.utf8) }
                    _ = try await connection.command(RESPCommand("XADD", arguments: head + fields))
                }
            }
            let expected = [
                #"{"entry":"1700000000000-0","outcome":"applied","key":"ds-\"1\"","effects":["upsert","revoke"]}"#,
                #"{"entry":"1700000000001-0","outcome":"evicted","reason":"malformed_event","stage":"decode","#
                    + #""key":"ds-2","error":"decode session event: missing user_id","effects":["evict"]}"#,
                #"{"entry":"1700000000002-0","outcome":"applied","key_b64":"//4=","effects":["upsert"]}"#,
                #"{"entry":"1700000000003-0","outcome":"evicted","reason":"invalid_event","stage":"validate","#
                    + #""key":"ds-3","error":"validate: status: unsupported value \"asleep\" (one of active, revoked)","#
                    + #""effects":["evict"]}"#,
                #"{"entry":"1700000000004-0","outcome":"dropped","reason":"malformed_event","stage":"decode","#
                    + #""error":"decode session event: missing device_session_id"}"#,
            ]
            for (name, file) in [("journal", "journal"), ("-", "out")] {
                let arguments = ["--journal", name, "--set", "source.redis_stream.start=beginning"]
                try await withWorker(server, arguments) { process, folder in
                    try await eventually("all written") { self.journal(folder, file).count == expected.count }
                    try await process.signal(SIGTERM)
                    let ending = try await process.end()
                    #expect(ending.status == 0)
                    #expect(self.journal(folder, file) == expected)
                }
            }
        }
    }

    @Test("With JSON logs, each line of standard error is one object with the four names")
    func jsonLogs() async throws {
        try await withRedisServer { server in
            let arguments = ["--log-format", "json", "--log-level", "trace"]
            try await withWorker(server, arguments) { process, _ in
                try await withConnection(server.settings) { connection in
                    try await self.untilBlocked(connection)
                    _ = try await connection.command(RESPCommand("XADD", Self.stream, "1-1", "odd\nname", "v"))
                }
                try await eventually("warned") { process.errors.contains("unsupported field") }
                server.kill()
                try await eventually("warned of the connection") { process.errors.contains("reconnecting") }
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                #expect(ending.status == 0)
                var levels: Set<String> = []
                for line in ending.errors.split(separator: "\n") {
                    let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                    let fields = try #require(object, "\(line)")
                    for name in ["time", "level", "logger", "message"] {
                        #expect(fields[name] is String, "\(line)")
                    }
                    levels.insert(fields["level"] as? String ?? "")
                }
                #expect(levels.isSuperset(of: ["info", "warning"]))
            }
        }
    }

    @Test("After a server crash the worker continues at its cursor, without loss or duplicates")
    func serverCrash() async throws {
        try await withRedisServer(.init(arguments: ["--appendonly", "yes", "--appendfsync", "always"])) { server in
            try await withWorker(server, ["--journal", "journal"]) { process, folder in
                try await withConnection(server.settings) { connection in
                    try await self.untilBlocked(connection)
                    try await self.add(1..<101, connection)
                }
                try await eventually("applied") { self.journal(folder).count == 100 }
                server.kill()
                try await eventually("noticed") { process.errors.contains("reconnecting") }
                try await server.start()
                try await withConnection(server.settings) { try await self.add(101..<201, $0) }
                try await eventually("applied after the crash") { self.journal(folder).count >= 200 }
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                #expect(ending.status == 0, "\(ending.errors)")
                #expect(self.journal(folder) == (1...200).map { self.line($0) })
            }
        }
    }

    @Test("lookup and export query a running worker; a missing key exits with 1")
    func lookup() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { try await self.add(1..<301, $0) }
            let arguments = ["--journal", "journal", "--set", "source.redis_stream.start=beginning"]
            try await withWorker(server, arguments) { process, folder in
                let admin = "unix:\(folder.path)/admin"
                let expected =
                    #"{"key":"ds-300","entry":"300-0","fields":{"device_session_id":"ds-300","user_id":"u","#
                    + #""client_public_key":"k","status":"active"}}"#
                try await eventually("all applied") { self.journal(folder).count == 300 }
                try await eventually("caught up") {
                    try await AdminClient(address: admin).answer("/readyz").status == 200
                }
                let found = try await sluice("lookup", "ds-300", "--admin", admin)
                #expect(found.status == 0 && found.output == expected + "\n", "\(found)")
                let absent = try await sluice("lookup", "ds-301", "--admin", admin)
                #expect(absent.status == 1 && absent.output == "", "\(absent)")
                #expect(absent.errors == "sluice: the store sessions has no snapshot under this key\n", "\(absent)")
                let store = try await sluice("lookup", "ds-1", "--admin", admin, "--store", "other")
                #expect(store.status == 1 && store.errors.contains("there is no store other"), "\(store)")
                let export = try await sluice("export", "--admin", admin)
                #expect(export.status == 0 && export.errors == "", "\(export.errors)")
                let lines = export.output.split(separator: "\n")
                #expect(Set(lines).count == 300 && lines.count == 300)
                #expect(lines.contains { $0 == expected })
                let noStore = try await sluice("export", "--admin", admin, "--store", "other")
                #expect(noStore.status == 1 && noStore.output == "", "\(noStore)")
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                #expect(ending.status == 0)
                #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/admin"), "the socket is gone")
            }
        }
    }

    @Test("A valid password is in no output at any log level")
    func passwordStaysSecret() async throws {
        let secret = "correct-horse-battery"
        try await withRedisServer(.init(arguments: ["--requirepass", secret])) { server in
            let arguments = ["--journal", "-", "--log-level", "trace"]
            try await withWorker(server, arguments, environment: ["REDIS_PASSWORD": secret]) { process, _ in
                try await eventually("reading") { process.errors.contains("reading the stream") }
                server.kill()
                try await eventually("lost") { process.errors.contains("reconnecting") }
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                #expect(ending.status == 0)
                #expect(!ending.errors.contains(secret) && !ending.output.contains(secret))
            }
        }
    }
}
