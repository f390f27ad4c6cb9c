import Foundation

/// What wrk tells at its end, by `lookups.lua`.
struct WebFigures: Codable, Equatable, Sendable {
    /// Requests answered.
    var requests: Int
    /// Requests that failed or were not answered with 200.
    var failed: Int
    /// Seconds by the wall.
    var seconds: Double
    /// Median latency.
    var medianMicroseconds: Double
    /// 99th percentile of latency.
    var p99Microseconds: Double

    private enum CodingKeys: String, CodingKey {
        case requests, failed, seconds
        case medianMicroseconds = "p50_us"
        case p99Microseconds = "p99_us"
    }

    /// Reads the last line of what wrk wrote: its own text stands before it.
    init(output: Data) throws {
        let lines = output.split(separator: UInt8(ascii: "\n"))
        guard let line = lines.last(where: { $0.first == UInt8(ascii: "{") }) else {
            throw ToolFailure(description: "wrk wrote no figures: \(String(decoding: output, as: UTF8.self))")
        }
        self = try JSONDecoder().decode(Self.self, from: line)
    }
}

extension Bench {
    /// Connections of the load tool: enough to keep the server's one thread busy.
    private static let connections = [1, 16]

    /// Look-ups over HTTP at random, driven by wrk, with and without a writer at full speed.
    func web(into report: inout BenchReport) throws {
        guard let wrk = ChildProcess.find("wrk") else {
            report.notes.append("look-ups over HTTP were skipped: wrk is missing; on Debian: apt-get install wrk")
            return
        }
        let sessions = self.plan.lookupSessions[0]
        for isUpdating in [false, true] {
            let keys = "\(self.folder)/keys.txt"
            self.say("look-ups over HTTP, \(sessions) sessions\(isUpdating ? ", beside a writer" : "")")
            let child = try ChildProcess(
                self.own,
                ["child", "serve", "--sessions", "\(sessions)", "--keys", keys] + (isUpdating ? ["--updating"] : []),
                keepsInput: true)
            defer { child.kill() }
            let address = try JSONDecoder().decode(ServeFigures.self, from: child.firstLine()).address
            for connections in Self.connections {
                let rounds = try (0..<self.plan.rounds).map { _ in
                    try WebFigures(
                        output: ChildProcess.run(
                            wrk,
                            [
                                "--threads", "1", "--connections", "\(connections)", "--duration",
                                "\(self.plan.latencySeconds)s", "--latency", "--script",
                                "Tests/Benchmarks/Yardsticks/lookups.lua", "http://\(address)",
                            ], environment: ["SLUICE_KEYS": keys]))
                }
                let failed = rounds.map(\.failed).reduce(0, +)
                if failed > 0 { throw ToolFailure(description: "\(failed) look-ups over HTTP failed") }
                report.rows.append(
                    Self.row(
                        Names.web, "\(sessions) sessions\(isUpdating ? ", writer" : "")",
                        "\(connections) connection\(connections > 1 ? "s" : "")",
                        [
                            ("requests/s", rounds.map { Double($0.requests) / $0.seconds }),
                            (Names.p50, rounds.map(\.medianMicroseconds)), (Names.p99, rounds.map(\.p99Microseconds)),
                        ]))
            }
        }
    }
}
