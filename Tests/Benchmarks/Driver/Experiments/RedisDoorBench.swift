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
    /// Different keys of the load.
    static let keys = 10_000

    /// The commands that are measured.
    enum Read: String, CaseIterable {
        case hgetall, hmget

        /// The command for a key.
        func command(_ key: [UInt8]) -> RESPCommand {
            switch self {
            case .hgetall: RESPCommand("HGETALL", arguments: [key])
            case .hmget: RESPCommand("HMGET", arguments: [key, Array("status".utf8), Array("user_id".utf8)])
            }
        }
    }

    /// The setting of a row.
    static func setting(_ read: Read, batch: Int) -> String {
        let name = "\(read.rawValue.uppercased()), \(Self.connections) connections"
        return batch == 1 ? name : "\(name), \(batch) pipelined"
    }

    /// Copies the hashes that a server lists to another one.
    static func copy(from source: RedisSocket, to target: RedisSocket) throws -> [[UInt8]] {
        var all: [[UInt8]] = []
        var cursor: [UInt8] = Array("0".utf8)
        repeat {
            let page = try source.ask(
                RESPCommand("SCAN", arguments: [cursor, Array("COUNT".utf8), Array("1000".utf8)]))
            guard let next = page.array?.first?.bytes, let keys = page.array?.last?.array?.compactMap(\.bytes) else {
                throw ToolFailure(description: "SCAN: unexpected reply")
            }
            try source.send(keys.flatMap { Read.hgetall.command($0).encoded() })
            var commands: [UInt8] = []
            var index = 0
            try source.receive(keys.count) { reply in
                let fields = reply.value().array?.compactMap(\.bytes) ?? []
                RESPCommand("HSET", arguments: [keys[index]] + fields).encode(into: &commands)
                index += 1
            }
            try target.send(commands)
            try target.receive(keys.count) { _ in }
            all += keys
            cursor = next
        } while cursor != Array("0".utf8)
        return all
    }
}

/// A load on a server: all connections always have a batch of commands in flight.
struct RedisLoad {
    private let sockets: [RedisSocket]
    private let batches: [[UInt8]]
    private let batch: Int

    /// Connects, and encodes the batches.
    init(path: String, keys: [[UInt8]], read: RedisDoorBench.Read, batch: Int) throws {
        self.sockets = try (0..<RedisDoorBench.connections).map { _ in try RedisSocket(path: path) }
        self.batch = batch
        self.batches = stride(from: 0, to: keys.count - batch + 1, by: batch).map { start in
            keys[start..<start + batch].flatMap { read.command($0).encoded() }
        }
    }

    /// Sends commands for a time; returns their number and the seconds.
    func run(seconds: Double) throws -> (commands: Int, seconds: Double) {
        let start = Clocks.monotonic
        let end = start + UInt64(seconds * 1e9)
        var next = 0
        func send(_ socket: RedisSocket) throws {
            try socket.send(self.batches[next])
            next = next + 1 == self.batches.count ? 0 : next + 1
        }
        for socket in self.sockets { try send(socket) }
        var commands = 0
        while Clocks.monotonic < end {
            for socket in self.sockets {
                try socket.receive(self.batch) { _ in }
                commands += self.batch
                try send(socket)
            }
        }
        for socket in self.sockets { try socket.receive(self.batch) { _ in } }
        return (commands + self.sockets.count * self.batch, Double(Clocks.monotonic - start) / 1e9)
    }
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
        let child = try ChildProcess(
            self.own,
            [
                "child", "door", "--sessions", "\(self.plan.lookupSessions[0])", "--keys",
                "\(self.folder)/redis-door-keys.txt", "--redis", path,
            ], keepsInput: true)
        defer { child.kill() }
        _ = try child.firstLine()
        try BenchServer.withServer(overTCP: false) { server in
            let other = String(server.address.dropFirst("unix:".count))
            let keys = try RedisDoorBench.copy(from: RedisSocket(path: path), to: RedisSocket(path: other))
            // The order of SCAN is that of the door's table, which would be too friendly to its caches.
            var generator = SystemRandomNumberGenerator()
            let chosen = Array(keys.shuffled(using: &generator).prefix(RedisDoorBench.keys))
            let subjects = [
                (RedisDoorBench.server, other, { server.cpu }),
                (RedisDoorBench.door, path, { Self.processorSeconds(child.identifier) }),
            ]
            for read in RedisDoorBench.Read.allCases {
                for batch in RedisDoorBench.batches {
                    try self.redisRows(read, batch, chosen, subjects, &report)
                }
            }
        }
    }

    private func redisRows(
        _ read: RedisDoorBench.Read, _ batch: Int, _ keys: [[UInt8]],
        _ subjects: [(name: String, path: String, cpu: () -> Double)], _ report: inout BenchReport
    ) throws {
        var rates: [String: [Double]] = [:]
        var costs: [String: [Double]] = [:]
        for _ in 0..<self.plan.rounds {
            for subject in subjects {
                let load = try RedisLoad(path: subject.path, keys: keys, read: read, batch: batch)
                let before = subject.cpu()
                let figures = try load.run(seconds: Double(self.plan.latencySeconds))
                let spent = subject.cpu() - before
                rates[subject.name, default: []].append(Double(figures.commands) / figures.seconds)
                costs[subject.name, default: []].append(spent * 1e6 / Double(figures.commands))
            }
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
}
