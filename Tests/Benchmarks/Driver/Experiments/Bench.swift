import Foundation

/// How much is measured.
struct BenchPlan: Sendable {
    /// Rounds of each comparison.
    var rounds = 5
    /// Events of the drain.
    var events = 1_000_000
    /// Sessions they are of.
    var sessions = 200_000
    /// Read counts of the drain.
    var counts = [128, 1024, 4096]
    /// Lengths of streams.
    var sizes = [10_000, 100_000, 1_000_000, 10_000_000]
    /// Sessions of the look-ups.
    var lookupSessions = [1_000_000]
    /// Sessions in the checkpoint of the start-up.
    var startUpSessions = 1_000_000
    /// Seconds of each latency round.
    var latencySeconds = 5
    /// Whether the server listens on a loopback port in place of a Unix socket.
    var overTCP = false

    /// A plan of about two minutes.
    static let quick = BenchPlan(
        rounds: 3, events: 500_000, sessions: 100_000, counts: [128, 4096], sizes: [10_000, 100_000, 1_000_000],
        latencySeconds: 2)
}

/// What experiments work with.
struct Bench {
    /// How much to measure.
    let plan: BenchPlan
    /// The programs measured against.
    let yardsticks: Yardsticks
    /// Where files go.
    let folder: String
    /// This program.
    let own: String

    /// Tells a person what is being done, on standard error.
    func say(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }

    /// Runs a measurement of this program in a process of its own, for `limit` seconds at most.
    func child<Figures: Decodable>(
        _ arguments: [String], isQuiet: Bool = false, limit: Double = ChildProcess.limit
    ) throws -> Figures {
        try JSONDecoder().decode(
            Figures.self, from: ChildProcess.run(self.own, ["child"] + arguments, isQuiet: isQuiet, limit: limit))
    }

    /// Fills a stream, in place of what was there.
    ///
    /// - Parameter sessions: How many the events are of; the plan's number where it is left out.
    func load(
        _ server: BenchServer, stream: String, events: Int, sessions: Int? = nil, malformed permille: Int = 0
    ) throws {
        _ = try server.ask("DEL", stream)
        try self.append(server, stream: stream, events: events, after: 0, sessions: sessions, malformed: permille)
    }

    /// Adds events to a stream behind the first so many.
    func append(
        _ server: BenchServer, stream: String, events: Int, after first: Int, sessions: Int? = nil,
        malformed permille: Int = 0
    ) throws {
        _ = try ChildProcess.run(
            self.yardsticks.program("load_stream"),
            [
                "--address", server.address, "--stream", stream, "--first", "\(first)", "--events", "\(events)",
                "--sessions", "\(sessions ?? self.plan.sessions)", "--malformed", "\(permille)",
            ])
    }
}
