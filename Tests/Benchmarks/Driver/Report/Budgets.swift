/// What the project asks of itself, held against a report.
enum Budgets {
    /// At least this share of what the server itself can send.
    static let drainShare = 0.9
    /// CPU of the worker, in microseconds an event.
    static let drainCPU = 0.7
    /// Latency at most so many times that of the plain C loop.
    static let latencyRatio = 1.1
    /// A look-up alone, in nanoseconds.
    static let lookupAlone = 250.0
    /// A look-up beside a writer, in nanoseconds.
    static let lookupBesideWriter = 350.0
    /// Memory of a session, in bytes.
    static let sessionBytes = 150.0
    /// The HTTP door's requests per second, as a share of nginx's `return 204`.
    static let doorShare = 0.55
    /// The same behind nginx's `auth_request`, as a share of `auth_request` to a 204 of the same nginx.
    static let doorShareBehindNginx = 0.75
    /// CPU of the HTTP door, in microseconds per request.
    static let doorCPU = 12.0
    /// 99th percentile of the HTTP door, in microseconds.
    static let doorP99 = 1000.0
    /// The Redis door's commands per second, as a share of redis-server's, by the number of pipelined commands.
    static let redisDoorShares = [1: 1.0, 16: 0.9]
    /// CPU of the Redis door, in microseconds per command.
    static let redisDoorCPU = 5.0
    /// A lookup of another process in shared memory, as a multiple of the in-process lookup of the same run.
    static let sharedRatios = [(SharedMemoryBench.library, 1.2), (SharedMemoryBench.luaJIT, 1.5)]
    /// Requests per second of nginx with the check in shared memory, as a share of nginx with Lua that does nothing.
    static let sharedInNginx = 0.95
    /// A stage that does nothing, in nanoseconds an event.
    static let idleStage = 10.0
    /// An expression that compares a field with text, at most so many times the map form of the same condition.
    static let expressionRatio = 1.1
    /// An expression with arithmetic on two decoded numbers, in nanoseconds.
    static let arithmetic = 60.0

    /// A verdict for every budget that the report has figures for; medians count.
    static func verdicts(_ report: BenchReport) -> [BenchReport.Verdict] {
        self.drain(report) + self.latency(report) + self.single(report) + self.gateway(report)
            + self.redisDoor(report) + self.shared(report) + self.expressions(report)
    }

    private static func drain(_ report: BenchReport) -> [BenchReport.Verdict] {
        report.rows.filter { $0.experiment == Names.drain && $0.subject == Names.sluice }.flatMap { row in
            var found: [BenchReport.Verdict] = []
            let limit = report.row(Names.drain, row.setting, Names.serverLimit)?.samples(Names.rate)
            if let rate = row.samples(Names.rate), let limit {
                found.append(
                    .init(
                        budget: "drain, \(row.setting): share of the server's limit",
                        measured: rate.median / limit.median, limit: self.drainShare, isUpperBound: false))
            }
            if let cpu = row.samples(Names.cpu) {
                found.append(
                    .init(
                        budget: "drain, \(row.setting): CPU us an event", measured: cpu.median, limit: self.drainCPU,
                        isUpperBound: true))
            }
            return found
        }
    }

    private static func latency(_ report: BenchReport) -> [BenchReport.Verdict] {
        report.rows.filter { $0.experiment == Names.latency && $0.subject == Names.sluice }.flatMap { row in
            [Names.p50, Names.p99].compactMap { name in
                guard let own = row.samples(name),
                    let other = report.row(Names.latency, row.setting, Names.plainC)?.samples(name)
                else { return nil }
                return .init(
                    budget: "latency, \(row.setting): \(name) against the plain C loop",
                    measured: own.median / other.median, limit: self.latencyRatio, isUpperBound: true)
            }
        }
    }

    private static func single(_ report: BenchReport) -> [BenchReport.Verdict] {
        report.rows.compactMap { row -> BenchReport.Verdict? in
            switch (row.experiment, row.subject) {
            case (Names.lookups, Names.oneReader):
                self.upper("look-up, \(row.setting), alone", row, Names.lookup, self.lookupAlone)
            case (Names.lookups, Names.oneReaderAndWriter):
                self.upper("look-up, \(row.setting), beside a writer", row, Names.lookup, self.lookupBesideWriter)
            case (Names.memory, _): self.upper("bytes a session, live", row, Names.liveBytes, self.sessionBytes)
            case (Names.overhead, _):
                self.upper("a stage that does nothing, \(row.setting), ns", row, Names.stageCost, self.idleStage)
            default: nil
            }
        }
    }

    /// Expressions against the map form of the same run, and arithmetic.
    private static func expressions(_ report: BenchReport) -> [BenchReport.Verdict] {
        func row(_ subject: String) -> BenchReport.Row? { report.row(Names.expressions, Names.conditions, subject) }
        var found: [BenchReport.Verdict] = []
        if let own = row(Names.expression)?.samples(Names.conditionCost),
            let other = row(Names.mapForm)?.samples(Names.conditionCost)
        {
            found.append(
                .init(
                    budget: "expression: times the map form", measured: own.median / other.median,
                    limit: self.expressionRatio, isUpperBound: true))
        }
        return found
            + [Names.integerArithmetic, Names.doubleArithmetic].compactMap { subject in
                row(subject).flatMap {
                    self.upper("expression: \(subject), ns", $0, Names.conditionCost, self.arithmetic)
                }
            }
    }

    /// The door against nginx's own answers, of the same run.
    private static func gateway(_ report: BenchReport) -> [BenchReport.Verdict] {
        func rate(_ subject: String) -> Double? {
            report.row(Names.gateway, GatewayBench.setting, subject)?.samples(GatewayBench.rate)?.median
        }
        var found: [BenchReport.Verdict] = []
        let pairs = [
            (GatewayBench.door, GatewayBench.plain, self.doorShare),
            (GatewayBench.behindNginx, GatewayBench.nginxAlone, self.doorShareBehindNginx),
        ]
        for (own, other, share) in pairs {
            guard let measured = rate(own), let base = rate(other) else { continue }
            found.append(
                .init(
                    budget: "HTTP door: \(own), share of \(other)", measured: measured / base, limit: share,
                    isUpperBound: false))
        }
        guard let row = report.row(Names.gateway, GatewayBench.setting, GatewayBench.door) else { return found }
        return found
            + [
                self.upper("HTTP door: CPU us a request", row, GatewayBench.cpu, self.doorCPU),
                self.upper("HTTP door: p99 us", row, Names.p99, self.doorP99),
            ].compactMap(\.self)
    }

    /// The Redis door against the redis-server of the same run.
    private static func redisDoor(_ report: BenchReport) -> [BenchReport.Verdict] {
        var found: [BenchReport.Verdict] = []
        for read in RedisDoorBench.Read.allCases {
            for (batch, share) in self.redisDoorShares.sorted(by: { $0.key < $1.key }) {
                let setting = RedisDoorBench.setting(read, batch: batch)
                guard let row = report.row(RedisDoorBench.experiment, setting, RedisDoorBench.door),
                    let other = report.row(RedisDoorBench.experiment, setting, RedisDoorBench.server),
                    let own = row.samples(RedisDoorBench.rate), let base = other.samples(RedisDoorBench.rate)
                else { continue }
                found.append(
                    .init(
                        budget: "redis door, \(setting): share of redis-server", measured: own.median / base.median,
                        limit: share, isUpperBound: false))
                found += [self.upper("redis door, \(setting): CPU us", row, GatewayBench.cpu, self.redisDoorCPU)]
                    .compactMap(\.self)
            }
        }
        return found
    }

    /// Lookups in shared memory against those in the worker, of the same run.
    private static func shared(_ report: BenchReport) -> [BenchReport.Verdict] {
        var found: [BenchReport.Verdict] = []
        for row in report.rows where row.experiment == Names.shared && row.subject == SharedMemoryBench.inProcess {
            guard let base = row.samples(Names.lookup) else { continue }
            for (subject, limit) in self.sharedRatios {
                guard let own = report.row(Names.shared, row.setting, subject)?.samples(Names.lookup) else { continue }
                found.append(
                    .init(
                        budget: "shared memory, \(row.setting): \(subject) against in process",
                        measured: own.median / base.median, limit: limit, isUpperBound: true))
            }
        }
        func rate(_ subject: String) -> Double? {
            report.row(SharedMemoryBench.nginx, GatewayBench.setting, subject)?.samples(GatewayBench.rate)?.median
        }
        guard let own = rate(SharedMemoryBench.check), let base = rate(SharedMemoryBench.nothing) else { return found }
        return found + [
            .init(
                budget: "\(SharedMemoryBench.nginx): share of \(SharedMemoryBench.nothing)", measured: own / base,
                limit: self.sharedInNginx, isUpperBound: false)
        ]
    }

    private static func upper(
        _ budget: String, _ row: BenchReport.Row, _ metric: String, _ limit: Double
    ) -> BenchReport.Verdict? {
        row.samples(metric).map { .init(budget: budget, measured: $0.median, limit: limit, isUpperBound: true) }
    }
}

/// The names that experiments give to what they measure and that budgets and charts look for.
enum Names {
    /// Experiment: read a stream from its beginning as fast as it goes.
    static let drain = "drain"
    /// Experiment: the same for streams of several lengths.
    static let sizes = "sizes"
    /// Experiment: the same for streams with malformed events.
    static let malformed = "malformed"
    /// Experiment: the same for several streams that are read side by side.
    static let partitions = "partitions"
    /// Experiment: from XADD to applied.
    static let latency = "latency"
    /// Experiment: look-ups in the memory store.
    static let lookups = "look-ups"
    /// Lookups in shared memory.
    static let shared = "shared memory"
    /// Experiment: look-ups over HTTP.
    static let web = "look-ups over HTTP"
    /// Experiment: the gateway's HTTP door.
    static let gateway = "HTTP door"
    /// Experiment: memory of sessions.
    static let memory = "memory"
    /// Experiment: workers of a group that share a stream.
    static let groups = "groups"
    /// Experiment: stages that do nothing.
    static let overhead = "overhead"
    /// Experiment: conditions on events.
    static let expressions = "expressions"
    /// Experiment: from the process's start to ready, with a checkpoint.
    static let startUp = "start-up"

    /// Setting: conditions that no event meets.
    static let conditions = "not met"
    /// Subject: a condition in the form of a mapping.
    static let mapForm = "map form"
    /// Subject: the same condition as an expression.
    static let expression = "expression"
    /// Subject: an expression with arithmetic on int64 fields.
    static let integerArithmetic = "int64 arithmetic"
    /// Subject: an expression with arithmetic on double fields.
    static let doubleArithmetic = "double arithmetic"

    /// Setting: the read counts of the shipped file.
    static let asShipped = "as shipped"
    /// Subject: the shipped pipeline.
    static let sluice = "sluice"
    /// Subject: the least that a reader must do.
    static let serverLimit = "server limit"
    /// Subject: hiredis and its reply objects.
    static let plainC = "plain hiredis"
    /// Subject: NIO and hiredis, and nothing built on them.
    static let bareNIO = "bare NIO"
    /// Subject: redis-py.
    static let python = "python"
    /// Subject: one thread that looks up.
    static let oneReader = "1 reader"
    /// Subject: one thread that looks up while the pipeline writes.
    static let oneReaderAndWriter = "1 reader, writer"

    /// Metric: events a second.
    static let rate = "events/s"
    /// Metric: CPU of the subject.
    static let cpu = "CPU us/event"
    /// Metric: peak resident memory.
    static let peak = "peak MiB"
    /// Metric: how much of the time the server used a core.
    static let serverShare = "server CPU"
    /// Metric: median latency.
    static let p50 = "p50 us"
    /// Metric: 99th percentile of latency.
    static let p99 = "p99 us"
    /// Metric: time of a look-up, by the wall.
    static let lookup = "ns/look-up"
    /// Metric: allocated bytes of a session.
    static let liveBytes = "live B/session"
    /// Metric: time to evaluate a condition.
    static let conditionCost = "ns/condition"
    /// Metric: what one more stage costs an event.
    static let stageCost = "ns/stage"
}
