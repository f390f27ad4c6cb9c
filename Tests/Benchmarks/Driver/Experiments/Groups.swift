import Foundation

extension Bench {
    /// How many workers share a stream.
    private static let workerCounts = [1, 2, 4]
    /// Between two looks at how far they are, in microseconds.
    private static let nap: UInt32 = 2_000
    /// How long they may take, in seconds.
    private static let limit = 120.0

    /// What the workers of a group took for a stream.
    private struct Shared {
        var rate: Double
        var cpuMicroseconds: Double
        var serverShare: Double
    }

    /// One, two and four workers of a group work a stream off, beside as many programs that do the least a worker must.
    func groups(into report: inout BenchReport) throws {
        try BenchServer.withServer(overTCP: self.plan.overTCP) { server in
            let stream = "sluice:bench"
            try self.load(server, stream: stream, events: self.plan.events)
            for count in self.plan.counts.prefix(2) {
                for workers in Self.workerCounts {
                    let setting = "COUNT \(count), \(workers) worker\(workers == 1 ? "" : "s")"
                    var taken: [String: [Shared]] = [:]
                    for round in 0..<self.plan.rounds {
                        self.say("\(Names.groups), \(setting): round \(round + 1) of \(self.plan.rounds)")
                        for subject in [Names.serverLimit, Names.sluice] {
                            taken[subject, default: []].append(
                                try self.share(server, stream, subject, workers: workers, count: count))
                        }
                    }
                    report.rows += [Names.serverLimit, Names.sluice].map { subject in
                        let metrics: [(String, (Shared) -> Double)] = [
                            (Names.rate, { $0.rate }), (Names.cpu, { $0.cpuMicroseconds }),
                            (Names.serverShare, { $0.serverShare }),
                        ]
                        return BenchReport.Row(
                            experiment: Names.groups, setting: setting, subject: subject,
                            metrics: metrics.compactMap { name, value in
                                Samples((taken[subject] ?? []).map(value)).map {
                                    BenchReport.Metric(name: name, samples: $0)
                                }
                            })
                    }
                }
            }
        }
    }

    /// Has workers wait at the stream's end, sets their group back to its beginning, and waits until all is confirmed.
    private func share(
        _ server: BenchServer, _ stream: String, _ subject: String, workers: Int, count: Int
    ) throws -> Shared {
        _ = try server.ask("XGROUP", "DESTROY", stream, "bench")
        _ = try server.ask("XGROUP", "CREATE", stream, "bench", "$")
        let children = try (0..<workers).map { number in
            let arguments = [
                "--address", server.address, "--stream", stream, "--group", "bench", "--consumer", "w\(number)",
                "--count", "\(count)",
            ]
            return subject == Names.sluice
                ? try ChildProcess(self.own, ["child", "group"] + arguments, isQuiet: true)
                : try ChildProcess(self.yardsticks.program("group_limit"), arguments)
        }
        defer { for child in children { child.kill() } }
        for child in children { _ = try child.firstLine() }
        let (start, cpu) = (Clocks.monotonic, server.cpu)
        _ = try server.ask("XGROUP", "SETID", stream, "bench", "0")
        while try !self.isWorkedOff(server, stream) {
            guard Double(Clocks.monotonic - start) / 1e9 < Self.limit else {
                throw ToolFailure(description: "the workers of a group have not worked the stream off in time")
            }
            usleep(Self.nap)
        }
        let wall = Double(Clocks.monotonic - start) / 1e9
        let serverCPU = server.cpu - cpu
        let figures = try children.map { try JSONDecoder().decode(DrainFigures.self, from: $0.wait()) }
        let events = figures.reduce(0) { $0 + $1.entries }
        guard events == self.plan.events else {
            throw ToolFailure(description: "\(events) of \(self.plan.events) events were worked off")
        }
        let used = figures.reduce(0) { $0 + $1.userSeconds + $1.systemSeconds }
        return Shared(
            rate: Double(events) / wall, cpuMicroseconds: used * 1e6 / Double(events), serverShare: serverCPU / wall)
    }

    /// Whether the group is at the stream's end and nothing is pending.
    private func isWorkedOff(_ server: BenchServer, _ stream: String) throws -> Bool {
        let group = try server.ask("XINFO", "GROUPS", stream).split(separator: "\n").map(String.init)
        let facts = try server.ask("XINFO", "STREAM", stream).split(separator: "\n").map(String.init)
        func value(_ name: String, _ lines: [String]) -> String? {
            lines.firstIndex(of: name).flatMap { lines.indices.contains($0 + 1) ? lines[$0 + 1] : nil }
        }
        return value("pending", group) == "0"
            && value("last-delivered-id", group) == value("last-generated-id", facts)
    }
}
