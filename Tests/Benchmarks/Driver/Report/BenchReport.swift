/// Everything one run of the bench has measured.
struct BenchReport: Codable, Equatable, Sendable {
    /// Where and when.
    var machine: Machine
    /// The measurements, in the order they were made.
    var rows: [Row] = []
    /// How they stand against the budgets.
    var verdicts: [Verdict] = []
    /// What was left out and why, and what else a reader should know.
    var notes: [String] = []

    /// The machine and the moment.
    struct Machine: Codable, Equatable, Sendable {
        /// Seconds since the epoch when the run began, as ISO 8601.
        var date: String
        /// The processor's name.
        var processor: String
        /// How many cores there are.
        var cores: Int
        /// The kernel's release.
        var kernel: String
        /// The redis-server's version line.
        var server: String
        /// The one-minute load average before the run.
        var loadBefore: Double
        /// The one-minute load average after it.
        var loadAfter: Double?
    }

    /// One subject in one setting of one experiment.
    struct Row: Codable, Equatable, Sendable {
        /// What was done: `drain`, `latency` and so on.
        var experiment: String
        /// Under which circumstances: `COUNT 128`.
        var setting: String
        /// Who did it: `sluice`, `server limit` and so on.
        var subject: String
        /// What came out.
        var metrics: [Metric]

        /// The samples of a metric, nil where the row has none of that name.
        func samples(_ name: String) -> Samples? {
            self.metrics.first { $0.name == name }?.samples
        }
    }

    /// One number of a row.
    struct Metric: Codable, Equatable, Sendable {
        /// What it is, with its unit: `events/s`.
        var name: String
        /// Its values.
        var samples: Samples
    }

    /// A budget held against what was measured.
    struct Verdict: Codable, Equatable, Sendable {
        /// What is asked: `drain, COUNT 128: at least 0.9 of the server's limit`.
        var budget: String
        /// What came out.
        var measured: Double
        /// The bound.
        var limit: Double
        /// Whether `measured` must stay below the bound, otherwise it must reach it.
        var isUpperBound: Bool
        /// Whether the budget is kept.
        var isMet: Bool { self.isUpperBound ? self.measured <= self.limit : self.measured >= self.limit }
    }

    /// The row of one subject, nil where it was not measured.
    func row(_ experiment: String, _ setting: String, _ subject: String) -> Row? {
        self.rows.first { $0.experiment == experiment && $0.setting == setting && $0.subject == subject }
    }
}
