import Foundation
import RESP
import RedisClient
import StageKit
import Testing

@Suite struct DLQTests {
    /// A pipeline of orders that are decoded; `rest` is what stands behind that stage.
    private func file(_ server: RedisServer, _ rest: String) -> [String: String] {
        let text = """
            pipeline: orders
            redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
            source: { redis_stream: { stream: orders, start: beginning, read_block: 100ms } }
            stages:
              - decode: { event: order, fields: { order_id: { required: true } }, unknown_fields: ignore }
            \(rest)
            """
        return ["p.yaml": text]
    }

    private func file(_ server: RedisServer, deadLetters: String = "") -> [String: String] {
        self.file(
            server,
            """
                on_failure: put_aside
            branches:
              put_aside:
                - dead_letter: { \(deadLetters) }
            """)
    }

    private func dlq(_ server: RedisServer, _ arguments: [String]) async throws -> SluiceProcess.Ending {
        try await withFolder { folder in
            for (name, text) in self.file(server) {
                try Data(text.utf8).write(to: folder.appendingPathComponent(name))
            }
            return try await SluiceProcess(["dlq"] + arguments + ["--file", "p.yaml"], in: folder).end()
        }
    }

    /// Runs the pipeline over `count` orders that cannot be decoded; returns the ids of the dead-letter entries.
    private func makeDeadLetters(
        _ count: Int, _ server: RedisServer, _ connection: RedisConnection
    ) async throws -> [String] {
        try await connection.addAll("orders", (1...count).map { [("number", "\($0)")] })
        try await withPipeline(try #require(self.file(server)["p.yaml"])) { try await $0.untilDone(count) }
        return try await self.deadLetterIDs(connection)
    }

    private func deadLetterIDs(_ connection: RedisConnection) async throws -> [String] {
        let entries = try await connection.command(RESPCommand("XRANGE", "orders:dead", "-", "+")).array ?? []
        return entries.compactMap { $0.array?.first?.string }
    }

    private func length(_ stream: String, _ connection: RedisConnection) async throws -> Int64? {
        try await connection.command(RESPCommand("XLEN", stream)).integer
    }

    @Test(
        "Dead-letter entries of failure rules are found",
        arguments: [
            "dead_letter", "{ dead_letter: {} }", "{ retry: { attempts: 2, backoff: 1ms, then: dead_letter } }",
        ])
    func ofRules(rule: String) async throws {
        try await withRedisServer { server in
            let publish = "  - publish: { channel: orders }\n    on_failure: \(rule)"
            let files = self.file(server, publish)
            let ending = try await sluice("dlq", "list", "--file", "p.yaml", files: files)
            #expect(
                ending.status == 0 && ending.errors == "no dead-letter entries in orders:dead\n", "\(ending.errors)")
        }
    }

    @Test("Dead-letter entries are listed in pages, as a table and as JSON")
    func list() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let empty = try await self.dlq(server, ["list"])
                #expect(empty.status == 0 && empty.output.isEmpty)
                #expect(empty.errors == "no dead-letter entries in orders:dead\n")
                let ids = try await self.makeDeadLetters(250, server, connection)
                let page = try await self.dlq(server, ["list", "--limit", "2"])
                #expect(page.status == 0, "\(page.errors)")
                let lines = page.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
                #expect(
                    lines.map { Array($0.prefix(5)) } == [
                        ["ENTRY", "ORIGINAL", "STAGE", "REASON", "AGE"],
                        [ids[0], "orders", "1-0", "decode", "malformed_event"],
                        [ids[1], "orders", "2-0", "decode", "malformed_event"],
                    ])
                #expect(lines.last?.suffix(3).joined(separator: " ") == "event: missing order_id" || lines.count == 3)
                #expect(page.errors == "more entries: --after \(ids[1])\n")
                // More than one answer of the server, and a list that goes on where another ended.
                let rest = try await self.dlq(
                    server, ["list", "--limit", "1000", "--after", ids[1], "--format", "json"])
                let objects = try rest.output.split(separator: "\n").map { line in
                    try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                }
                #expect(objects.map { $0["letter"] as? String } == ids.dropFirst(2).map { $0 })
                #expect(rest.errors.isEmpty)
                let first = try #require(objects.first)
                #expect(first["stream"] as? String == "orders" && first["id"] as? String == "3-0")
                #expect(first["stage"] as? String == "decode" && first["reason"] as? String == "malformed_event")
                #expect(first["error"] as? String == "decode order: missing order_id")
                #expect(first["attempts"] as? Int == 1 && first["age_ms"] is Int && first["time_ms"] is Int)
            }
        }
    }

    @Test("A dead-letter entry is shown with the original's fields and without terminal control characters")
    func show() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let name: [UInt8] = [0x1B, 0x5B, 0x32, 0x4A]
                _ = try await connection.command(
                    RESPCommand("XADD", "orders", "5-0", name, [0xFF], "a", "1", "a", "2"))
                try await withPipeline(try #require(self.file(server)["p.yaml"])) { try await $0.untilDone(1) }
                let id = try #require(try await self.deadLetterIDs(connection).first)
                let text = try await self.dlq(server, ["show", id])
                #expect(text.status == 0, "\(text.errors)")
                #expect(!text.output.contains("\u{1B}"))
                let shown = "fields: 3\n  \"\\x1b[2J\": \"\\xff\"\n  a: 1\n  a: 2\n"
                #expect(text.output.hasSuffix(shown), "\(text.output)")
                let json = try await self.dlq(server, ["show", id, "--format", "json"])
                #expect(
                    json.output.hasSuffix(
                        #""fields":[{"name":"\u001b[2J","value_b64":"/w=="},{"name":"a","value":"1"},"#
                            + "{\"name\":\"a\",\"value\":\"2\"}]}\n"), "\(json.output)")
                let none = try await self.dlq(server, ["show", "1-1"])
                #expect(none.status == 1 && none.errors == "sluice: no dead-letter entry 1-1 in orders:dead\n")
            }
        }
    }

    @Test("A replayed entry is added once, byte for byte, even if two dead-letter entries have the same original")
    func replay() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let odd: [UInt8] = [0x00, 0xFF, 0x0D, 0x0A]
                _ = try await connection.command(RESPCommand("XADD", "orders", "5-0", odd, odd, "a", "", "a", "x"))
                try await withPipeline(try #require(self.file(server)["p.yaml"])) { try await $0.untilDone(1) }
                let deadLetter = try await connection.command(RESPCommand("XRANGE", "orders:dead", "-", "+"))
                let parts = try #require(deadLetter.array?.first?.array)
                let id = try #require(parts[0].string)
                // What a lost confirmation leaves behind: the same dead-letter entry once more.
                let fields = parts[1].array?.compactMap(\.bytes) ?? []
                let copy = RESPCommand("XADD", arguments: ["orders:dead".respBytes, "*".respBytes] + fields)
                let second = try #require(try await connection.command(copy).string)

                let played = try await self.dlq(server, ["replay", id])
                #expect(played.status == 0, "\(played.errors)")
                #expect(played.output.hasPrefix("\(id): added to orders as "))
                let entries = try await connection.command(RESPCommand("XRANGE", "orders", "-", "+")).array ?? []
                #expect(entries.count == 2)
                let original = entries.first?.array?.last?.array?.compactMap(\.bytes) ?? []
                let replayed = entries.last?.array?.last?.array?.compactMap(\.bytes)
                #expect(replayed == ["_sluice_original".respBytes, "5-0".respBytes] + original)

                let again = try await self.dlq(server, ["replay", id, "--format", "json"])
                #expect(again.status == 1 && again.output == "{\"letter\":\"\(id)\",\"result\":\"gone\"}\n")
                let other = try await self.dlq(server, ["replay", second])
                #expect(other.status == 0 && other.output.contains("was replayed before"))
                #expect(try await self.length("orders", connection) == 2)
                #expect(try await self.length("orders:dead", connection) == 0)
            }
        }
    }

    @Test("Replaying all takes every present entry, and two concurrent replays add each entry once")
    func replayAll() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                _ = try await self.makeDeadLetters(300, server, connection)
                async let one = self.dlq(server, ["replay", "--all", "--yes"])
                async let two = self.dlq(server, ["replay", "--all", "--yes"])
                let outputs = try await [one, two].map(\.output)
                let added = outputs.joined().split(separator: "\n").count { $0.contains(": added to orders as ") }
                #expect(added == 300)
                #expect(try await self.length("orders", connection) == 600)
                let numbers = try await connection.entries("orders").suffix(300).map { $0[3] }
                #expect(Set(numbers) == Set((1...300).map { "\($0)" }))
                #expect(try await self.deadLetterIDs(connection).isEmpty)
            }
        }
    }

    @Test("An entry that cannot be replayed changes nothing")
    func unplayable() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let id = try #require(try await self.makeDeadLetters(1, server, connection).first)
                _ = try await connection.command(RESPCommand("DEL", "orders"))
                _ = try await connection.command(RESPCommand("SET", "orders", "no stream"))
                let refused = try await self.dlq(server, ["replay", id])
                #expect(refused.status == 1 && refused.output.contains("WRONGTYPE"), "\(refused)")
                #expect(try await self.deadLetterIDs(connection) == [id])
                _ = try await connection.command(RESPCommand("DEL", "orders"))
                _ = try await connection.command(RESPCommand("XADD", "orders:dead", "99999999999999-0", "x", "y"))
                let unfit = try await self.dlq(server, ["replay", "99999999999999-0", id])
                #expect(unfit.status == 1)
                #expect(
                    unfit.output.hasPrefix(
                        "99999999999999-0: not a dead-letter entry that can be replayed\n\(id): added to"))
            }
        }
    }

    @Test("Dead-letter entries are removed by id, by age, or all with --yes")
    func purge() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let ids = try await self.makeDeadLetters(150, server, connection)
                let some = try await self.dlq(server, ["purge", ids[0], ids[1], "1-1"])
                #expect(some.status == 0 && some.output == "removed 2\n", "\(some.errors)")
                let young = try await self.dlq(server, ["purge", "--older-than", "1h"])
                #expect(young.output == "removed 0\n")
                try await eventually("the letters are older than a millisecond") {
                    let old = try await self.dlq(server, ["purge", "--older-than", "1ms", "--format", "json"])
                    #expect(old.status == 0 && old.output.hasPrefix("{\"removed\":"))
                    return try await self.deadLetterIDs(connection).isEmpty
                }
                _ = try await connection.command(RESPCommand("XADD", "orders:dead", "*", "x", "y"))
                let asked = try await self.dlq(server, ["purge", "--all"])
                #expect(asked.status == 64)
                #expect(try await self.length("orders:dead", connection) == 1)
                let all = try await self.dlq(server, ["purge", "--all", "--yes"])
                #expect(all.output == "removed 1\n")
            }
        }
    }

    @Test(
        "Wrong usage is reported as a usage error",
        arguments: [
            ["replay"], ["replay", "--all"], ["replay", "1-0", "--all", "--yes"], ["purge"],
            ["purge", "--older-than", "7"], ["purge", "1-0", "--older-than", "7d"], ["list", "--limit", "0"],
            ["show", "first"],
        ])
    func usage(arguments: [String]) async throws {
        let ending = try await SluiceProcess.ended(["dlq"] + arguments)
        #expect(ending.status == 64, "\(ending.errors)")
    }

    @Test("A file with no or several dead-letter streams needs --stream; an invalid file is reported as usual")
    func stream() async throws {
        let head = """
            pipeline: p
            redis: { address: "127.0.0.1:1", connect_timeout: 20s }
            source: { redis_stream: { stream: s } }

            """
        let none = try await sluice(
            "dlq", "list", "--file", "p.yaml", files: ["p.yaml": head + "stages: [log]"])
        #expect(none.status == 64 && none.errors.contains("name the stream with --stream"), "\(none.errors)")
        let several = try await sluice(
            "dlq", "list", "--file", "p.yaml",
            files: ["p.yaml": head + "stages: [log, { dead_letter: { stream: a } }, dead_letter]"])
        #expect(
            several.status == 64 && several.errors.contains("has several dead-letter streams (a, s:dead)"),
            "\(several.errors)")
        let wrong = try await sluice("dlq", "list", "--file", "p.yaml", files: ["p.yaml": head + "stages: [lock]"])
        #expect(wrong.status == 78 && wrong.errors.contains("p.yaml:4:10: unknown stage type"), "\(wrong.errors)")
        let away = try await sluice(
            "dlq", "list", "--file", "p.yaml", "--stream", "x", files: ["p.yaml": head + "stages: [log]"])
        #expect(away.status == 1 && away.errors.contains("127.0.0.1:1"), "\(away.errors)")
    }
}

extension SluiceProcess {
    /// Runs a command with these arguments in an empty folder to its end.
    static func ended(_ arguments: [String]) async throws -> Ending {
        try await withFolder { folder in try await SluiceProcess(arguments, in: folder).end() }
    }
}
