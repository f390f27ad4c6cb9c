import Foundation

extension Bench {
    /// Sessions that events are drawn from: so many that hardly one is drawn twice.
    private static let drawn = 1 << 40
    /// Entries that came while the worker was down, of sessions beyond those in the checkpoint.
    private static let missed = 10_000

    /// From the process's start to ready, with a checkpoint of many sessions and a short tail to catch up with.
    func startUp(into report: inout BenchReport) throws {
        let sessions = self.plan.startUpSessions
        let file = "\(self.folder)/sessions.checkpoint"
        try? FileManager.default.removeItem(atPath: file)
        try BenchServer.withServer(overTCP: self.plan.overTCP) { server in
            self.say("start-up, \(sessions) sessions: filling")
            try self.load(server, stream: "sluice:startup", events: sessions, sessions: Self.drawn)
            var starts: [StartUpFigures] = []
            var size = 0
            for round in 0...self.plan.rounds {
                let arguments = [
                    "startup", "--address", server.address, "--stream", "sluice:startup", "--events", "0",
                    "--checkpoint", file, "--began", "\(Clocks.monotonic)",
                ]
                let figures: StartUpFigures = try self.child(arguments)
                // The first one has no checkpoint: it reads the stream and leaves one.
                if round > 0 { starts.append(figures) }
                let attributes = try FileManager.default.attributesOfItem(atPath: file)
                size = attributes[.size] as? Int ?? 0
                self.say("start-up: round \(round) of \(self.plan.rounds), \(figures.store) sessions")
                try self.append(
                    server, stream: "sluice:startup", events: Self.missed, after: sessions + round * Self.missed,
                    sessions: Self.drawn)
            }
            report.rows.append(
                Self.row(
                    Names.startUp, "\(starts.first?.store ?? 0) sessions", "checkpoint of \(size >> 20) MiB",
                    [
                        ("ms to ready", starts.map(\.readyMilliseconds)),
                        ("ms to save", starts.map(\.saveMilliseconds)),
                    ]))
        }
    }
}
