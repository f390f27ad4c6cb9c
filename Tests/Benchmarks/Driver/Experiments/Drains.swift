import Foundation

/// Who drains a stream.
enum Drainer: CaseIterable {
    /// The shipped pipeline.
    case sluice
    /// The least that a reader must do.
    case serverLimit
    /// hiredis and its reply objects.
    case plainC
    /// redis-py and a dict.
    case python

    /// The name in reports.
    var name: String {
        switch self {
        case .sluice: Names.sluice
        case .serverLimit: Names.serverLimit
        case .plainC: Names.plainC
        case .python: Names.python
        }
    }
}

/// One drain with what the server used meanwhile.
struct DrainRound {
    /// What the reader says.
    let figures: DrainFigures
    /// The share of one core that the server used.
    let serverShare: Double
}

extension Bench {
    /// Drains a stream once; without a count, with those of the shipped file.
    func drain(
        _ drainer: Drainer, _ server: BenchServer, stream: String, count: Int?, events: Int, overrides: [String] = []
    ) throws -> DrainRound {
        let arguments =
            ["--address", server.address, "--stream", stream, "--events", "\(events)"]
            + (count.map { ["--count", "\($0)"] } ?? [])
        let before = server.cpu
        let figures: DrainFigures
        switch drainer {
        case .sluice:
            figures = try self.child(
                ["drain"] + arguments + overrides.flatMap { ["--set", $0] }, isQuiet: true)
        case .serverLimit: figures = try self.yardstick("server_limit", arguments)
        case .plainC: figures = try self.yardstick("plain_hiredis", arguments)
        case .python:
            let (program, script) = self.yardsticks.python
            figures = try Self.decode(ChildProcess.run(program, [script] + arguments))
        }
        return DrainRound(figures: figures, serverShare: (server.cpu - before) / figures.wallSeconds)
    }

    /// Drains a stream several times, the drainers taking turns; a row for each.
    func drains(
        _ drainers: [Drainer], _ server: BenchServer, experiment: String, setting: String, stream: String, count: Int?,
        events: Int, rounds: Int, overrides: [String] = []
    ) throws -> [BenchReport.Row] {
        var taken: [[DrainRound]] = drainers.map { _ in [] }
        for round in 0..<rounds {
            self.say("\(experiment), \(setting): round \(round + 1) of \(rounds)")
            for (index, drainer) in drainers.enumerated() {
                taken[index].append(
                    try self.drain(
                        drainer, server, stream: stream, count: count, events: events, overrides: overrides))
            }
        }
        return zip(drainers, taken).map { drainer, rounds in
            let metrics: [(String, (DrainRound) -> Double)] = [
                (Names.rate, { $0.figures.rate }), (Names.cpu, { $0.figures.cpuMicroseconds }),
                (Names.peak, { Double($0.figures.peakKiB) / 1024 }), (Names.serverShare, { $0.serverShare }),
            ]
            return BenchReport.Row(
                experiment: experiment, setting: setting, subject: drainer.name,
                metrics: metrics.compactMap { name, value in
                    Samples(rounds.map(value)).map { BenchReport.Metric(name: name, samples: $0) }
                })
        }
    }

    private func yardstick(_ name: String, _ arguments: [String]) throws -> DrainFigures {
        try Self.decode(ChildProcess.run(self.yardsticks.program(name), arguments))
    }

    private static func decode(_ data: Data) throws -> DrainFigures {
        try JSONDecoder().decode(DrainFigures.self, from: data)
    }
}

extension Bench {
    /// The drain at each read count, side by side with the yardsticks; the Python peer once, over a fifth of the events.
    func drain(into report: inout BenchReport) throws {
        try BenchServer.withServer(overTCP: self.plan.overTCP) { server in
            let stream = "sluice:bench"
            try self.load(server, stream: stream, events: self.plan.events)
            for count in self.plan.counts {
                let setting = "COUNT \(count)"
                report.rows += try self.drains(
                    [.serverLimit, .sluice, .plainC], server, experiment: Names.drain, setting: setting,
                    stream: stream, count: count, events: self.plan.events, rounds: self.plan.rounds)
                guard self.yardsticks.pythonProblem == nil else { continue }
                report.rows += try self.drains(
                    [.python], server, experiment: Names.drain, setting: setting, stream: stream, count: count,
                    events: self.plan.events / 5, rounds: 1)
            }
            report.rows += try self.drains(
                [.sluice], server, experiment: Names.drain, setting: Names.asShipped, stream: stream, count: nil,
                events: self.plan.events, rounds: self.plan.rounds)
            if let problem = self.yardsticks.pythonProblem {
                report.notes.append("the Python peer was skipped: \(problem)")
            }
        }
    }

    /// The drain of streams of several lengths: the cost of an event must stay the same.
    func sizes(into report: inout BenchReport) throws {
        try BenchServer.withServer(overTCP: self.plan.overTCP) { server in
            for events in self.plan.sizes {
                let stream = "sluice:bench:\(events)"
                try self.load(server, stream: stream, events: events)
                report.rows += try self.drains(
                    [.serverLimit, .sluice], server, experiment: Names.sizes, setting: "\(events) events",
                    stream: stream, count: 1024, events: events, rounds: events > 2_000_000 ? 1 : self.plan.rounds)
                _ = try server.ask("DEL", stream)
            }
        }
    }

    /// The drain of as many events in 1 to 8 streams that are read side by side, beside the server's own limit for one.
    func partitions(into report: inout BenchReport) throws {
        try BenchServer.withServer(overTCP: self.plan.overTCP) { server in
            let stream = "sluice:bench"
            try self.load(server, stream: stream, events: self.plan.events)
            report.rows += try self.drains(
                [.serverLimit], server, experiment: Names.partitions, setting: "1 stream", stream: stream, count: 128,
                events: self.plan.events, rounds: self.plan.rounds)
            _ = try server.ask("DEL", stream)
            for partitions in [1, 2, 4, 8] {
                for partition in 0..<partitions {
                    try self.load(
                        server, stream: "\(stream):{\(partition)}", events: self.plan.events / partitions)
                }
                let setting = "\(partitions) partition\(partitions == 1 ? "" : "s")"
                report.rows += try self.drains(
                    [.sluice], server, experiment: Names.partitions, setting: setting, stream: "\(stream):{n}",
                    count: 128, events: self.plan.events / partitions * partitions, rounds: self.plan.rounds,
                    overrides: ["source.redis_stream.partitions=\(partitions)"])
                for partition in 0..<partitions { _ = try server.ask("DEL", "\(stream):{\(partition)}") }
            }
        }
    }

    /// The drain of streams in which some events are malformed.
    func malformed(into report: inout BenchReport) throws {
        try BenchServer.withServer(overTCP: self.plan.overTCP) { server in
            let stream = "sluice:bench"
            for permille in [0, 10, 500] {
                try self.load(server, stream: stream, events: self.plan.events, malformed: permille)
                report.rows += try self.drains(
                    [.serverLimit, .sluice], server, experiment: Names.malformed,
                    setting: "\(permille / 10)% malformed", stream: stream, count: 1024, events: self.plan.events,
                    rounds: max(1, self.plan.rounds - 2))
            }
        }
    }
}
