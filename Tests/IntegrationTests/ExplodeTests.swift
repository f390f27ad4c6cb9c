import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import StageKit
import Testing
import Worker

@Suite struct ExplodeTests {
    private static let count = 300

    /// Orders with 0 to 4 items, of which some have no sku.
    private static func items(_ number: Int) -> [String] {
        (0..<(number % 5)).map { item in
            isBad(number, item) ? #"{"quantity":1}"# : #"{"sku":"s-\#(number)-\#(item)","quantity":\#(item)}"#
        }
    }

    private static func isBad(_ number: Int, _ item: Int) -> Bool { number % 7 == 0 && item % 2 == 1 }

    private static let orders: [[(String, String)]] = (1...count).map { number in
        [("id", "o-\(number)"), ("items", "[\(items(number).joined(separator: ","))]")]
    }

    private static func file(_ server: RedisServer, group: Bool) -> String {
        """
        pipeline: lines
        redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
        source:
          redis_stream:
            stream: orders
            \(group ? "group: { name: g, consumer: c }" : "start: beginning")
            read_count: 64
            read_block: 100ms
        stages:
          - decode: { event: order, fields: { id: { required: true }, items: { type: json } } }
          - explode: { field: items, fields: { sku: { required: true }, quantity: { type: int64 } } }
            on_failure: dead_letter
          - set: { line: { expr: entry.id } }
          - publish: { stream: lines, fields: [id, sku, line] }
        """
    }

    @Test(
        "Every element is published or dead-lettered in order, and every entry has one outcome",
        arguments: [false, true])
    func conservation(group: Bool) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await connection.addAll("orders", Self.orders)
                if group {
                    _ = try await connection.command(RESPCommand("XGROUP", "CREATE", "orders", "g", "0"))
                }
                try await withPipeline(Self.file(server, group: group)) { pipeline in
                    try await pipeline.untilDone(Self.count)
                    #expect(pipeline.isConserved)
                    let numbers = Array(1...Self.count)
                    let empty = numbers.count { Self.items($0).isEmpty }
                    let bad = numbers.count { number in
                        Self.items(number).indices.contains { Self.isBad(number, $0) }
                    }
                    #expect(
                        pipeline.endings == [
                            "applied : \(Self.count - empty - bad)", "dead_lettered explode_failure: \(bad)",
                            "skipped empty_list: \(empty)",
                        ])
                }
                var lines: [[String]] = []
                var deadLetters: [String] = []
                for number in 1...Self.count {
                    for item in Self.items(number).indices {
                        if Self.isBad(number, item) {
                            deadLetters.append("\(number)-0#\(item)")
                        } else {
                            lines.append(
                                ["id", "o-\(number)", "sku", "s-\(number)-\(item)", "line", "\(number)-0#\(item)"])
                        }
                    }
                }
                #expect(try await connection.entries("lines") == lines)
                let dead = try await connection.entries("orders:dead")
                #expect(dead.map { $0[7] } == deadLetters)
                #expect(dead.first?.prefix(7) == ["pipeline", "lines", "stream", "orders", "id", "7-0", "event"])
                if group {
                    let pending = try await connection.command(RESPCommand("XPENDING", "orders", "g"))
                    #expect(pending.array?.first?.integer == 0)
                }
            }
        }
    }

    @Test("An element's dead-letter entry is replayed only with the whole entry if that is permitted, and then once")
    func replay() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let items = #"[{"sku":"a"},{},{"sku":"c"},{}]"#
                let file = Self.file(server, group: false)
                try await connection.addAll("orders", [[("id", "o-1"), ("items", items)]])
                try await withPipeline(file) { pipeline in
                    try await pipeline.untilDone(1)
                    let list = try await sluice("dlq", "list", "--file", "p.yaml", files: ["p.yaml": file])
                    #expect(list.output.contains("orders 1-0#1") && list.output.contains("orders 1-0#3"), "\(list)")
                    for arguments in [["--all", "--yes"], try await connection.ids("orders:dead")] {
                        let refused = try await SluiceProcess.replay(arguments, file)
                        #expect(refused.status == 1, "\(refused)")
                        #expect(refused.output.contains("it is the element 1-0#1 of its original"), "\(refused)")
                        #expect(refused.output.contains("permit that with --whole-entry"), "\(refused)")
                    }
                    #expect(try await connection.entries("orders").count == 1)
                    #expect(try await connection.entries("orders:dead").count == 2)
                    let replay = try await SluiceProcess.replay(["--all", "--yes", "--whole-entry"], file)
                    #expect(replay.status == 0, "\(replay)")
                    #expect(replay.output.contains("added to orders as"), "\(replay)")
                    #expect(replay.output.contains("the original was replayed before"), "\(replay)")
                    try await pipeline.untilDone(2)
                    #expect(pipeline.isConserved)
                }
                let lines = try await connection.entries("lines").map { $0[3] }
                #expect(lines == ["a", "c", "a", "c"])
                let deadLetters = try await connection.entries("orders:dead")
                #expect(
                    deadLetters.count == 2 && deadLetters.allSatisfy { $0.contains("original") && $0.contains("1-0") })
            }
        }
    }
}
