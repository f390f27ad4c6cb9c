import StageKit

/// A file of cases for one pipeline file.
struct TestFile: Sendable {
    /// Maximum number of cases in a file; more belong in several files, which can be run separately.
    static let caseLimit = 1000
    /// Maximum number of entries in a case; a test with more is a benchmark.
    static let entryLimit = 10_000
    /// Maximum total bytes of a case's entries, because all of them are in memory.
    static let entryBytes = 64 << 20

    /// The pipeline file, relative to this one.
    var pipeline = Located("")
    /// The values for `${NAME}` in the pipeline file; no other variables are set.
    var environment: [NamedSetting<String>] = []
    /// Overrides of values in the pipeline file, by path.
    var overrides: [NamedSetting<String>] = []
    /// The cases.
    var cases: [TestCase] = []
}

/// One case: its input and its expected results.
struct TestCase: Sendable {
    /// The name, unique in the file.
    var name = Located("")
    /// Additional environment for this case.
    var environment: [NamedSetting<String>] = []
    /// Additional overrides for this case.
    var overrides: [NamedSetting<String>] = []
    /// The time that stages read, in milliseconds since the epoch.
    var clock: Int64 = 1_700_000_000_000
    /// The entries that the source delivers.
    var entries: [TestEntry] = []
    /// The Redis hashes that stages read, by key.
    var hashes: [NamedSetting<[NamedSetting<[UInt8]>]>] = []
    /// The expected outcome of each entry, or `nil` if the case does not specify it.
    var outcomes: Located<[OutcomeExpectation]>?
    /// The expected content of stores at the end.
    var stores: [NamedSetting<StoreExpectation>] = []
    /// The revoked keys, in order, or `nil` if the case does not specify them.
    var revocations: Located<[[UInt8]]>?
    /// The evicted keys, in order, or `nil` if the case does not specify them.
    var evictions: Located<[[UInt8]]>?
    /// The messages that stages send, in stream order, or `nil` if the case does not specify them.
    var messages: Located<[MessageExpectation]>?
    /// The expected metrics.
    var metrics: [NamedSetting<Double>] = []
    /// The log lines of level info and above, in order, or `nil` if the case does not specify them.
    var log: Located<[LogExpectation]>?
    /// A part of the error that ends the run, or `nil` if the run must succeed.
    var failure: Located<String>?

    /// Whether the case has any expectation.
    var expectsSomething: Bool {
        self.outcomes != nil || !self.stores.isEmpty || self.revocations != nil || self.evictions != nil
            || self.messages != nil || !self.metrics.isEmpty || self.log != nil || self.failure != nil
    }
}

/// An entry that the source delivers.
struct TestEntry: Sendable {
    /// The entry's id, or `nil` for the one after the previous entry's.
    var id: EntryID?
    /// Its fields in order; names may be repeated.
    var fields: [(name: [UInt8], value: [UInt8])] = []
}

/// The expected outcome of one entry; `nil` members match anything.
struct OutcomeExpectation: Sendable {
    /// The position of the expectation.
    var position = SettingPosition(line: 0, column: 0)
    /// The outcome.
    var outcome: Outcome?
    /// The reason, empty for none.
    var reason: String?
    /// The stage that failed.
    var stage: LocatedName?
    /// The error, empty for none.
    var error: String?
    /// The effects, in order.
    var effects: [String]?
    /// Values that the event has at its end, by field; a `nil` value means that it does not have the field.
    var fields: [NamedSetting<[UInt8]?>] = []
    /// The outcomes of the entry's elements, in order.
    var elements: [OutcomeExpectation]?

    /// The stages that the outcome and those of the elements name.
    var stages: [LocatedName] { [self.stage].compactMap(\.self) + (self.elements ?? []).flatMap(\.stages) }
}

/// The expected content of a store.
struct StoreExpectation: Sendable {
    /// A snapshot in a store.
    struct Held: Sendable {
        /// Its key.
        var key: [UInt8] = []
        /// The position of the key.
        var position = SettingPosition(line: 0, column: 0)
        /// The entry that it comes from, or `nil` for any.
        var entry: EntryID?
        /// The fields; a `nil` value means that the snapshot does not have the field.
        var fields: [NamedSetting<[UInt8]?>] = []
    }

    /// Snapshots with at least these fields; the store may hold others.
    var holds: [Held] = []
    /// The exact content of the store, or `nil` if the case does not specify it.
    var exactly: Located<[Held]>?
    /// Keys that the store must not hold.
    var absent: [Located<[UInt8]>] = []
    /// The number of snapshots, or `nil` for any.
    var count: Located<Int>?
}

/// An expected message to a stream or a channel; `nil` members match anything.
struct MessageExpectation: Sendable {
    /// The position of the expectation.
    var position = SettingPosition(line: 0, column: 0)
    /// The stream that receives an entry.
    var stream: String?
    /// The channel that receives a text.
    var channel: String?
    /// Fields of the entry; a `nil` value means that it does not have the field.
    var fields: [NamedSetting<[UInt8]?>] = []
    /// The text.
    var text: [UInt8]?
}

/// An expected log line; `nil` members match anything.
struct LogExpectation: Sendable {
    /// The position of the expectation.
    var position = SettingPosition(line: 0, column: 0)
    /// The level.
    var level: String?
    /// The message.
    var message: String?
    /// Some of its metadata, by name.
    var values: [NamedSetting<String>] = []
}
