import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import StageKit
import Testing
import Worker

@Suite struct AggregateTests {
    /// Entries 10 ms apart, so that a window of a second has up to 100 of them.
    private static let count = 3000
    private static let devices = 3

    private static func file(
        _ server: RedisServer, checkpoint: String, start: String, idle: String = "wait", elements: Bool = false
    ) -> String {
        let fields = "device: { required: true }, value: { type: int64, required: true }"
        let list = "list: { type: json, required: true }"
        let head =
            elements
            ? "- decode: { fields: { \(list) } }\n  - explode: { field: list, fields: { \(fields) } }"
            : "- decode: { fields: { \(fields) } }"
        return """
            pipeline: sensors
            redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
            source:
              redis_stream: { stream: readings, start: \(start), read_count: 64, read_block: 100ms }
            checkpoint: { path: "\(checkpoint)", interval: 20ms }
            admin: { listen: off }
            stages:
              \(head)
              - aggregate:
                  key: device
                  window: 1s
                  lateness: 100ms
                  idle: \(idle)
                  values: { readings: count, total: { sum: value }, different: { distinct: value } }
              - publish: { stream: seconds, fields: [device, window_start, readings, total, different] }
            """
    }

    /// The values of an entry by device: one, or as many elements as the last digit of the number says.
    private static func values(_ number: Int, elements: Bool) -> [(device: Int, value: Int)] {
        (0..<(elements ? number % 10 : 1)).map { ((number + $0) % Self.devices, number + $0 * 10_000) }
    }

    /// The message of each window of the entries up to `count`, by device and start.
    private static func expected(elements: Bool) -> [String: [String]] {
        var windows: [String: (start: Int, device: Int, values: [Int])] = [:]
        for number in 1...Self.count {
            for (device, value) in self.values(number, elements: elements) {
                let start = number / 100
                windows["\(start)/\(device)", default: (start, device, [])].values.append(value)
            }
        }
        return windows.mapValues { window in
            let time = "1970-01-01T00:00:\(window.start < 10 ? "0" : "")\(window.start)Z"
            return [
                "device", "d-\(window.device)", "window_start", time, "readings", "\(window.values.count)", "total",
                "\(window.values.reduce(0, +))", "different", "\(window.values.count)",
            ]
        }
    }

    private static func add(
        _ numbers: some Sequence<Int>, elements: Bool, _ connection: RedisConnection
    ) async throws {
        let commands = numbers.map { number in
            let values = self.values(number, elements: elements)
            guard elements else {
                return RESPCommand(
                    "XADD", "readings", "\(number * 10)-0", "device", "d-\(values[0].device)", "value",
                    "\(values[0].value)")
            }
            let list = values.map { #"{"device":"d-\#($0.device)","value":\#($0.value)}"# }
            return RESPCommand(
                "XADD", "readings", "\(number * 10)-0", "list", "[\(list.joined(separator: ","))]")
        }
        for reply in connection.submit(commands) {
            let id = try await reply.reply().value().string
            #expect(id != nil)
        }
    }

    @Test(
        "A worker that is killed repeatedly counts each entry or element once, and sends a window again or not at all",
        arguments: [false, true])
    func killed(elements: Bool) async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                try await withConnection(server.settings) { connection in
                    let checkpoint = "\(folder.path)/checkpoint"
                    let file = folder.appendingPathComponent("p.yaml")
                    let text = Self.file(server, checkpoint: checkpoint, start: "resume", elements: elements)
                    try Data(text.utf8).write(to: file)
                    let rounds = 6
                    for round in 0...rounds {
                        try? FileManager.default.removeItem(atPath: "\(folder.path)/pid")
                        let worker = try SluiceProcess(["run", file.path], in: folder)
                        try await eventually("started") { worker.errors.contains("reading the stream") }
                        // Without a checkpoint, a restart would begin at the end of the stream.
                        try await eventually("a checkpoint") { FileManager.default.fileExists(atPath: checkpoint) }
                        guard round == rounds else {
                            let part = Self.count / rounds
                            try await Self.add(
                                round * part + 1...(round + 1) * part, elements: elements, connection)
                            try await Task.sleep(for: .milliseconds(Int.random(in: 0...60)))
                            worker.kill()
                            continue
                        }
                        // Closes all windows; the entry has an element.
                        try await Self.add([Self.count * 2 + 1], elements: elements, connection)
                        let expected = Set(Self.expected(elements: elements).values)
                        try await eventually("every window is published") {
                            try await expected.isSubset(of: connection.entries("seconds"))
                        }
                        // No window has been published with other values.
                        #expect(try await Set(connection.entries("seconds")) == expected)
                        try await worker.signal(SIGTERM)
                        #expect(try await worker.end().status == 0)
                    }
                }
            }
        }
    }

    @Test("A restart with changed stages keeps the windows, unless the stage's own settings have changed")
    func changedStages() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                try await withConnection(server.settings) { connection in
                    func file(_ fields: String, window: String = "1s", rest: String = "") -> String {
                        """
                        pipeline: sensors
                        redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
                        source: { redis_stream: { stream: readings, start: resume, read_block: 100ms } }
                        checkpoint: { path: "\(folder.path)/checkpoint" }
                        stores: { last: { memory: { key: device } } }
                        stages:
                          - decode: { fields: { \(fields) } }
                          - upsert: { store: last }
                          - aggregate: { window: \(window), values: { readings: count } }
                          - publish: { stream: seconds, fields: [readings] }
                        \(rest)
                        """
                    }
                    func run(_ file: String, adding id: String) async throws {
                        try await withPipeline(file) { pipeline in
                            try await eventually("it reads") { pipeline.source.status.isCaughtUp }
                            let command = RESPCommand("XADD", "readings", id, "device", "d")
                            #expect(try await connection.command(command).string == id)
                            try await eventually("it has read \(id)") {
                                pipeline.source.status.cursor?.description == id
                            }
                        }
                    }
                    let fields = "device: { required: true }"
                    try await run(file(fields), adding: "10-0")
                    // A stage behind the store and the windows.
                    try await run(file(fields, rest: "  - log: { message: second }"), adding: "20-0")
                    // A stage before the store, which is filled again; the windows recognise what they contain.
                    try await run(file(fields + ", note: {}"), adding: "30-0")
                    let check = try await sluice(
                        "check", "p.yaml", "--format", "json", files: ["p.yaml": file(fields, window: "2s")])
                    let loss = "the stage's settings have changed (window): 1 open window is lost"
                    #expect(check.status == 0 && check.output.contains(loss), "\(check)")
                    #expect(check.output.contains("the next start fills the stores again"), "\(check)")
                    try await run(file(fields + ", note: {}"), adding: "1000-0")
                    #expect(try await connection.entries("seconds") == [["readings", "3"]])
                    // Another window: what was open is lost.
                    try await run(file(fields + ", note: {}", window: "2s"), adding: "5000-0")
                    #expect(try await connection.entries("seconds").count == 1)
                }
            }
        }
    }

    @Test("The dead-letter entry of a window is never replayed as an entry of the stream, and the message says why")
    func deadLetter() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let file = """
                    pipeline: sensors
                    redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
                    source: { redis_stream: { stream: readings, start: beginning, read_block: 100ms } }
                    stages:
                      - decode: { fields: { value: { type: int64, required: true } } }
                      - aggregate: { window: 1s, values: { total: { sum: value } } }
                      - validate: { require: "total < 5" }
                        on_failure: dead_letter
                    """
                for (id, value) in [("10-0", "3"), ("20-0", "4"), ("1000-0", "1"), ("2000-0", "x")] {
                    let command = RESPCommand("XADD", "readings", id, "value", value)
                    #expect(try await connection.command(command).string == id)
                }
                try await withPipeline(file) { pipeline in try await pipeline.untilDone(4) }
                let deadLetters = try await connection.ids("readings:dead")
                #expect(deadLetters.count == 1)
                let deadLetter = try #require(deadLetters.first)
                let list = try await sluice("dlq", "list", "--file", "p.yaml", files: ["p.yaml": file])
                #expect(list.output.contains("(added by the worker)"), "\(list)")
                let shown = try await sluice(
                    "dlq", "show", deadLetter, "--format", "json", "--file", "p.yaml", files: ["p.yaml": file])
                #expect(shown.output.contains(#""added":true"#), "\(shown)")
                #expect(shown.output.contains(#"{"name":"total","value":"7"}"#), "\(shown)")
                for arguments in [["--all", "--yes"], [deadLetter], [deadLetter, "--whole-entry"]] {
                    let replay = try await SluiceProcess.replay(arguments, file)
                    #expect(replay.status == 1, "\(replay)")
                    #expect(replay.output.contains("the worker added this event"), "\(replay)")
                    #expect(replay.output.contains("sluice dlq purge \(deadLetter)"), "\(replay)")
                }
                let json = try await SluiceProcess.replay([deadLetter, "--format", "json"], file)
                #expect(json.output.contains(#""result":"added_by_worker""#), "\(json)")
                #expect(try await connection.ids("readings") == ["10-0", "20-0", "1000-0", "2000-0"])
                #expect(try await connection.ids("readings:dead") == deadLetters)
            }
        }
    }

    @Test("The last windows of a stream that falls silent are closed by the server's clock")
    func silence() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                try await withConnection(server.settings) { connection in
                    for number in 1...30 {
                        let command = RESPCommand("XADD", "readings", "*", "device", "d", "value", "\(number)")
                        #expect(try await connection.command(command).string != nil)
                    }
                    let file = Self.file(
                        server, checkpoint: "\(folder.path)/checkpoint", start: "beginning", idle: "close")
                    try await withPipeline(file) { _ in
                        try await eventually("all entries are in published windows") {
                            let windows = try await connection.entries("seconds")
                            return windows.compactMap { Int($0[5]) }.reduce(0, +) == 30
                        }
                    }
                }
            }
        }
    }
}
