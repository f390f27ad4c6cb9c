import StageKit

/// A file of cases for one pipeline file.
struct TestFile: Sendable {
    /// Cases in a file: more belong into several files, which can be run alone.
    static let caseLimit = 1000
    /// Entries in a case: what needs more is a benchmark.
    static let entryLimit = 10_000
    /// Bytes of a case's entries together, for they are all held at once.
    static let entryBytes = 64 << 20

    /// The pipeline file, relative to this one.
    var pipeline = Marked("")
    /// What `${NAME}` in the pipeline file stands for; nothing else is set.
    var environment: [NamedSetting<String>] = []
    /// Values put beside the pipeline file, by path.
    var overrides: [NamedSetting<String>] = []
    /// The cases.
    var cases: [TestCase] = []
}

/// One case: what goes in, and what has to come of it.
struct TestCase: Sendable {
    /// The name, one of its own in the file.
    var name = Marked("")
    /// More of the environment, for this case.
    var environment: [NamedSetting<String>] = []
    /// More values beside the pipeline file, for this case.
    var overrides: [NamedSetting<String>] = []
    /// The time that stages read, in milliseconds since the epoch.
    var clock: Int64 = 1_700_000_000_000
    /// What the source delivers.
    var entries: [TestEntry] = []
    /// What becomes of each entry; nil where the case does not say.
    var outcomes: Marked<[OutcomeExpectation]>?
    /// What stores hold at the end.
    var stores: [NamedSetting<StoreExpectation>] = []
    /// The keys that are revoked, in order; nil where the case does not say.
    var revocations: Marked<[[UInt8]]>?
    /// The keys that are evicted, in order; nil if the case does not say.
    var evictions: Marked<[[UInt8]]>?
    /// What is counted and measured.
    var metrics: [NamedSetting<Double>] = []
    /// What is logged from level info on, in order; nil where the case does not say.
    var log: Marked<[LogExpectation]>?
    /// A part of the error that ends the run; nil where it must not end with one.
    var failure: Marked<String>?

    /// Whether the case says anything of what has to come.
    var expectsSomething: Bool {
        self.outcomes != nil || !self.stores.isEmpty || self.revocations != nil || self.evictions != nil
            || !self.metrics.isEmpty || self.log != nil || self.failure != nil
    }
}

/// An entry that the source delivers.
struct TestEntry: Sendable {
    /// Its id; nil for the one after the entry before.
    var id: EntryID?
    /// Its fields in order; names may be repeated.
    var fields: [(name: [UInt8], value: [UInt8])] = []
}

/// What has to become of one entry; what is nil may be anything.
struct OutcomeExpectation: Sendable {
    /// Where it stands.
    var mark = SourceMark(line: 0, column: 0)
    /// The outcome.
    var outcome: Outcome?
    /// The reason, empty for none.
    var reason: String?
    /// The stage that failed.
    var stage: MarkedName?
    /// The error, empty for none.
    var error: String?
    /// What was done, in order.
    var effects: [String]?
}

/// What a store has to hold.
struct StoreExpectation: Sendable {
    /// A snapshot that is held.
    struct Held: Sendable {
        /// Its key.
        var key: [UInt8] = []
        /// Where the key stands.
        var mark = SourceMark(line: 0, column: 0)
        /// The entry it comes from; nil for any.
        var entry: EntryID?
        /// Its fields; nil for a field that it does not have.
        var fields: [NamedSetting<[UInt8]?>] = []
    }

    /// Snapshots with at least these fields; there may be others.
    var holds: [Held] = []
    /// These snapshots with these fields, and nothing else; nil where the case does not say.
    var exactly: Marked<[Held]>?
    /// Keys that are not held.
    var absent: [Marked<[UInt8]>] = []
    /// How many snapshots it holds; nil for any.
    var count: Marked<Int>?
}

/// A line that has to be logged; what is nil may be anything.
struct LogExpectation: Sendable {
    /// Where it stands.
    var mark = SourceMark(line: 0, column: 0)
    /// The level.
    var level: String?
    /// The words.
    var message: String?
    /// Some of its values, by name.
    var values: [NamedSetting<String>] = []
}
