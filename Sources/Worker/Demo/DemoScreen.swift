import CommandSupport
import ComponentKit
import PipelineEngine
import ServiceLifecycle
import StageKit
import Synchronization

/// Shows the worker twice per second: redrawn on a terminal, line by line otherwise.
///
/// As a service, it ends after the demo's duration, which ends the service group.
struct DemoScreen: Service {
    /// Time between two updates on a terminal.
    private static let interval: Duration = .milliseconds(500)
    /// Updates between two lines if the output is not a terminal.
    private static let linesInterval = 4

    /// The worker shown.
    let worker: AssembledWorker
    /// Times from XADD to applied.
    let meter: DemoMeter
    /// The worker's log.
    let log: DemoLog
    /// The duration of the demo, or `nil` to run until a signal.
    let duration: Duration?

    /// Runs until a graceful shutdown or the end of the duration.
    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.show() }
    }

    private func show() async throws {
        let clock = ContinuousClock()
        let started = clock.now
        var drawn = 0
        var pictures = 0
        var last = (read: UInt64(0), time: started)
        while self.duration.map({ clock.now - started < $0 }) ?? true {
            let remaining = self.duration.map { min($0 - (clock.now - started), Self.interval) } ?? Self.interval
            // A shutdown cancels the sleep and thereby ends the loop.
            guard (try? await Task.sleep(for: max(remaining, .milliseconds(1)))) != nil else { break }
            let statistics = self.worker.pipeline.statistics
            let now = clock.now
            let rate = Double(statistics.read - last.read) / (now - last.time).seconds
            last = (statistics.read, now)
            pictures += 1
            if Terminal.isInteractive {
                drawn = self.draw(statistics, rate: rate, elapsed: now - started, over: drawn)
            } else if pictures % Self.linesInterval == 0 {
                try Terminal.result(self.line(statistics, rate: rate, elapsed: now - started))
            }
        }
    }

    /// Prints the summary at the end.
    func printSummary() throws {
        let statistics = self.worker.pipeline.statistics
        let outcomes = statistics.outcomes.reduce(0) { $0 + $1.count }
        try Terminal.result("")
        try Terminal.result("Read \(statistics.read) events, \(outcomes) outcomes:")
        for line in self.outcomeLines(statistics) { try Terminal.result(line) }
        if let latency = self.meter.latency() {
            try Terminal.result("From XADD to applied: \(Self.times(latency))")
        }
    }

    /// Draws over the previous view; returns the number of lines drawn.
    private func draw(_ statistics: PipelineStatistics, rate: Double, elapsed: Duration, over drawn: Int) -> Int {
        var lines = [
            "Sluice \(self.worker.pipeline.name): \(self.worker.pipeline.source.stream)   \(Int(elapsed.seconds)) s",
            "",
            "  events per second    \(Int(rate.rounded()))",
        ]
        lines += self.held.map { "  \("held in \($0.store)".padded(to: 20)) \($0.count)" }
        lines.append("  revocations          \(self.revocations(statistics))")
        if let latency = self.meter.latency() { lines.append("  XADD to applied      \(Self.times(latency))") }
        lines += ["", "  outcome"] + self.outcomeLines(statistics) + [""]
        lines += self.log.errors.map { "  ! \($0)" }
        if let address = self.meter.address {
            lines.append("  Dashboard: http://\(address)/ in a browser, or sluice top --admin \(address)")
        }
        lines.append("  Ctrl-C stops it.")
        let up = drawn > 0 ? "\u{1B}[\(drawn)A" : ""
        Terminal.write(Array((up + lines.map { "\u{1B}[2K\($0)\n" }.joined() + "\u{1B}[J").utf8))
        return lines.count
    }

    private func line(_ statistics: PipelineStatistics, rate: Double, elapsed: Duration) -> String {
        let drops = statistics.outcomes.filter { $0.outcome != .applied }.map { "\($0.reason) \($0.count)" }
        let latency = self.meter.latency().map { ", XADD to applied \(Self.times($0))" } ?? ""
        let held = self.held.map { "\($0.count) held in \($0.store)" }.joined(separator: ", ")
        return "\(Int(elapsed.seconds)) s: \(Int(rate.rounded())) events/s, \(held), "
            + "\(self.revocations(statistics)) revocations, drops: "
            + (drops.isEmpty ? "none" : drops.joined(separator: ", ")) + latency
    }

    private func outcomeLines(_ statistics: PipelineStatistics) -> [String] {
        statistics.outcomes.map { count in
            let name = count.reason.isEmpty ? count.outcome.name : "\(count.outcome.name) (\(count.reason))"
            return "    \(name.padded(to: 28)) \(count.count)"
        }
    }

    /// The number of snapshots in each store.
    private var held: [(store: String, count: Int)] {
        self.worker.pipeline.stores.sorted { $0.key < $1.key }.map { ($0.key, $0.value.count) }
    }

    private func revocations(_ statistics: PipelineStatistics) -> UInt64 {
        statistics.stages.first { $0.name == "revoke" }?.passed ?? 0
    }

    private static func times(_ latency: DemoMeter.Latency) -> String {
        "p50 \(latency.p50) us, p99 \(latency.p99) us, longest \(latency.max) us"
    }
}

extension String {
    /// Returns the text padded with spaces to a width.
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - self.count))
    }
}
