import Foundation
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import Testing
import Worker

@Suite struct AggregateTests {
    /// Entries 10 ms apart, so that a window of a second has up to 100 of them.
    private static let count = 3000
    private static let devices = 3

    private static func file(
        _ server: RedisServer, checkpoint: String, start: String, idle: String = "wait"
    ) -> String {
        """
        pipeline: sensors
        redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
        source:
          redis_stream: { stream: readings, start: \(start), read_count: 64, read_block: 100ms }
        checkpoint: { path: "\(checkpoint)", interval: 20ms }
        stages:
          - decode: { fields: { device: { required: true }, value: { type: int64, required: true } } }
          - aggregate:
              key: device
              window: 1s
              lateness: 100ms
              idle: \(idle)
              values: { readings: count, total: { sum: value }, different: { distinct: value } }
          - publish: { stream: seconds, fields: [device, window_start, readings, total, different] }
        """
    }

    /// The message of each window of the entries up to `count`, by device and start.
    private static var expected: [String: [String]] {
        var windows: [String: (start: Int, device: Int, values: [Int])] = [:]
        for number in 1...Self.count {
            let (start, device) = (number / 100, number % Self.devices)
            windows["\(start)/\(device)", default: (start, device, [])].values.append(number)
        }
        return windows.mapValues { window in
            let time = "1970-01-01T00:00:\(window.start < 10 ? "0" : "")\(window.start)Z"
            return [
                "device", "d-\(window.device)", "window_start", time, "readings", "\(window.values.count)", "total",
                "\(window.values.reduce(0, +))", "different", "\(window.values.count)",
            ]
        }
    }

    private static func add(_ numbers: some Sequence<Int>, _ connection: RedisConnection) async throws {
        let commands = numbers.map { number in
            RESPCommand(
                "XADD", "readings", "\(number * 10)-0", "device", "d-\(number % Self.devices)", "value", "\(number)")
        }
        for reply in connection.submit(commands) {
            let id = try await reply.reply().value().string
            #expect(id != nil)
        }
    }

    @Test("A worker that is killed repeatedly counts each entry once, and sends the same window again or not at all")
    func killed() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                try await withConnection(server.settings) { connection in
                    let checkpoint = "\(folder.path)/checkpoint"
                    let file = folder.appendingPathComponent("p.yaml")
                    try Data(Self.file(server, checkpoint: checkpoint, start: "resume").utf8).write(to: file)
                    let rounds = 6
                    for round in 0...rounds {
                        try? FileManager.default.removeItem(atPath: "\(folder.path)/pid")
                        let worker = try SluiceProcess(["run", file.path], in: folder)
                        try await eventually("started") { worker.errors.contains("reading the stream") }
                        // Without a checkpoint, a restart would begin at the end of the stream.
                        try await eventually("a checkpoint") { FileManager.default.fileExists(atPath: checkpoint) }
                        guard round == rounds else {
                            let part = Self.count / rounds
                            try await Self.add(round * part + 1...(round + 1) * part, connection)
                            try await Task.sleep(for: .milliseconds(Int.random(in: 0...60)))
                            worker.kill()
                            continue
                        }
                        // Closes all windows.
                        try await Self.add([Self.count * 2], connection)
                        let expected = Set(Self.expected.values)
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
