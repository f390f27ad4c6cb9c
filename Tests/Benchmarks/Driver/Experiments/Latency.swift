import Foundation
import Histogram

/// Latencies of one run, by HdrHistogram.
struct LatencyHistogram {
    /// Longer ones are counted as this, in nanoseconds.
    static let ceiling: UInt64 = 60_000_000_000

    private var histogram = Histogram<UInt64>(
        highestTrackableValue: LatencyHistogram.ceiling, numberOfSignificantValueDigits: .three)

    /// Takes 64-bit nanoseconds, the first `skipped` left out: those of caches that are still cold.
    init(_ data: Data, skipping skipped: Int) {
        let bytes = [UInt8](data)
        for start in stride(from: skipped * 8, to: bytes.count - 7, by: 8) {
            let value = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << (8 * UInt64($1)) }
            self.histogram.record(min(value, Self.ceiling))
        }
    }

    /// How many there are.
    var count: UInt64 { self.histogram.totalCount }

    /// A percentile, in microseconds.
    func microseconds(_ percentile: Double) -> Double {
        Double(self.histogram.valueAtPercentile(percentile)) / 1000
    }
}

extension Bench {
    /// From XADD to applied under a steady load, beside the plain C loop under the same load, and NIO that only reads.
    func latency(into report: inout BenchReport) throws {
        try BenchServer.withServer(overTCP: self.plan.overTCP) { server in
            for rate in [1_000, 20_000] {
                let subjects = [Names.sluice, Names.plainC, Names.bareNIO]
                var taken: [[LatencyHistogram]] = subjects.map { _ in [] }
                for round in 0..<self.plan.rounds {
                    self.say("latency, \(rate)/s: round \(round + 1) of \(self.plan.rounds)")
                    for (index, subject) in subjects.enumerated() {
                        taken[index].append(try self.follow(subject, server, rate))
                    }
                }
                for (subject, rounds) in zip(subjects, taken) {
                    report.rows.append(Self.row(subject, "\(rate)/s", rounds))
                }
            }
        }
    }

    private func follow(_ subject: String, _ server: BenchServer, _ rate: Int) throws -> LatencyHistogram {
        let stream = "sluice:latency"
        _ = try server.ask("DEL", stream)
        let events = rate * self.plan.latencySeconds
        let file = "\(self.folder)/latency.bin"
        let common = ["--address", server.address, "--stream", stream, "--events", "\(events)"]
        let reading = common + ["--count", "128", "--latency", file]
        let reader =
            switch subject {
            case Names.plainC: try ChildProcess(self.yardsticks.program("plain_hiredis"), reading)
            case Names.bareNIO: try ChildProcess(self.own, ["child", "bare-reader"] + reading)
            default: try ChildProcess(self.own, ["child", "latency"] + reading)
            }
        defer { reader.kill() }
        try server.waitForBlockedClient()
        _ = try ChildProcess.run(self.yardsticks.program("publish"), common + ["--rate", "\(rate)"])
        _ = try reader.wait()
        let data = try Data(contentsOf: URL(fileURLWithPath: file))
        guard data.count >= events * 8 else {
            throw ToolFailure(description: "\(subject): \(data.count / 8) latencies of \(events)")
        }
        return LatencyHistogram(data, skipping: events / 10)
    }

    private static func row(_ subject: String, _ setting: String, _ rounds: [LatencyHistogram]) -> BenchReport.Row {
        let percentiles = [(Names.p50, 50.0), ("p90 us", 90.0), (Names.p99, 99.0), ("p99.9 us", 99.9)]
        return BenchReport.Row(
            experiment: Names.latency, setting: setting, subject: subject,
            metrics: percentiles.compactMap { name, percentile in
                Samples(rounds.map { $0.microseconds(percentile) }).map { .init(name: name, samples: $0) }
            })
    }
}
