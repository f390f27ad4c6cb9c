import Foundation
import RESP

/// The names of the experiment with the gateway's Redis door.
enum RedisDoorBench {
    /// The experiment, in the report.
    static let experiment = "redis door"
    /// The door.
    static let door = "Sluice"
    /// The server beside it, with the same hashes.
    static let server = "redis-server"
    /// Commands per second.
    static let rate = "commands/s"
    /// Connections of the load.
    static let connections = 16
    /// Commands that a connection sends together.
    static let batches = [1, 16]
    /// The prefix of the keys: the store's name.
    static let prefix = "sessions:"
    /// The largest relative difference of the mean size of two servers' replies: they hold the same hashes.
    static let sizeDifference = 0.01

    /// The commands that are measured.
    enum Read: String, CaseIterable {
        case hgetall = "HGETALL"
        case hmget = "HMGET"
    }

    /// The setting of a row.
    static func setting(_ read: Read, batch: Int) -> String {
        let name = "\(read.rawValue), \(Self.connections) connections"
        return batch == 1 ? name : "\(name), \(batch) pipelined"
    }

    /// Copies the hashes that a server lists to another one.
    static func copy(from source: RedisSocket, to target: RedisSocket) throws {
        var cursor: [UInt8] = Array("0".utf8)
        repeat {
            let page = try source.ask(
                RESPCommand("SCAN", arguments: [cursor, Array("COUNT".utf8), Array("1000".utf8)]))
            guard let next = page.array?.first?.bytes, let keys = page.array?.last?.array?.compactMap(\.bytes) else {
                throw ToolFailure(description: "SCAN: unexpected reply")
            }
            try source.send(keys.flatMap { RESPCommand("HGETALL", arguments: [$0]).encoded() })
            var commands: [UInt8] = []
            var index = 0
            try source.receive(keys.count) { reply in
                let fields = reply.value().array?.compactMap(\.bytes) ?? []
                RESPCommand("HSET", arguments: [keys[index]] + fields).encode(into: &commands)
                index += 1
            }
            try target.send(commands)
            try target.receive(keys.count) { _ in }
            cursor = next
        } while cursor != Array("0".utf8)
    }
}

/// What the load generator reports.
struct RedisLoadFigures: Codable, Equatable, Sendable {
    /// Commands answered.
    var commands: Int
    /// Seconds by the wall.
    var seconds: Double
    /// Bytes of the replies.
    var bytes: Int
}

extension Bench {
    /// The gateway's Redis door beside a redis-server with the same hashes, in turns.
    func redisDoor(into report: inout BenchReport) throws {
        guard ChildProcess.find("redis-server") != nil, ChildProcess.find("redis-cli") != nil else {
            report.notes.append("the Redis door was skipped: redis-server or redis-cli is missing")
            return
        }
        self.say("the gateway's Redis door beside redis-server")
        // A path of its own: that of a Unix socket has at most 107 bytes.
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-door-\(getpid()).sock").path
        let keys = "\(self.folder)/redis-door-keys.txt"
        let child = try ChildProcess(
            self.own,
            [
                "child", "door", "--sessions", "\(self.plan.lookupSessions[0])", "--keys", keys, "--redis", path,
            ], keepsInput: true)
        defer { child.kill() }
        _ = try child.firstLine(limit: GatewayBench.fillLimit)
        try BenchServer.withServer(overTCP: false) { server in
            let other = String(server.address.dropFirst("unix:".count))
            self.say("the Redis door: copying \(self.plan.lookupSessions[0]) sessions to redis-server")
            try RedisDoorBench.copy(from: RedisSocket(path: path), to: RedisSocket(path: other))
            let subjects = [
                (RedisDoorBench.server, other, { server.cpu }),
                (RedisDoorBench.door, path, { Clocks.processCPU(child.identifier) ?? 0 }),
            ]
            for read in RedisDoorBench.Read.allCases {
                for batch in RedisDoorBench.batches {
                    self.say("the Redis door: \(RedisDoorBench.setting(read, batch: batch))")
                    try self.redisRows(read, batch, keys, subjects, &report)
                }
            }
        }
    }

    private func redisRows(
        _ read: RedisDoorBench.Read, _ batch: Int, _ keys: String,
        _ subjects: [(name: String, path: String, cpu: () -> Double)], _ report: inout BenchReport
    ) throws {
        var rates: [String: [Double]] = [:]
        var costs: [String: [Double]] = [:]
        for _ in 0..<self.plan.rounds {
            var sizes: [Double] = []
            for subject in subjects {
                let before = subject.cpu()
                let figures = try self.load(subject.path, read, batch, keys)
                let spent = subject.cpu() - before
                sizes.append(Double(figures.bytes) / Double(figures.commands))
                rates[subject.name, default: []].append(Double(figures.commands) / figures.seconds)
                costs[subject.name, default: []].append(spent * 1e6 / Double(figures.commands))
            }
            guard let least = sizes.min(), let most = sizes.max(),
                most <= least * (1 + RedisDoorBench.sizeDifference)
            else { throw ToolFailure(description: "the replies differ: bytes per command are \(sizes)") }
        }
        for subject in subjects {
            report.rows.append(
                Self.row(
                    RedisDoorBench.experiment, RedisDoorBench.setting(read, batch: batch), subject.name,
                    [
                        (RedisDoorBench.rate, rates[subject.name] ?? []),
                        (GatewayBench.cpu, costs[subject.name] ?? []),
                    ]))
        }
    }

    private func load(
        _ path: String, _ read: RedisDoorBench.Read, _ batch: Int, _ keys: String
    ) throws -> RedisLoadFigures {
        let output = try ChildProcess.run(
            self.yardsticks.program("resp_load"),
            [
                "--address", "unix:\(path)", "--keys", keys, "--prefix", RedisDoorBench.prefix, "--command",
                read.rawValue, "--connections", "\(RedisDoorBench.connections)", "--batch", "\(batch)", "--seconds",
                "\(self.plan.latencySeconds)",
            ], limit: Double(self.plan.latencySeconds) + GatewayBench.loadLimit)
        return try JSONDecoder().decode(RedisLoadFigures.self, from: output)
    }
}
