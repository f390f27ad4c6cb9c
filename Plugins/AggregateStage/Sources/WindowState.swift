import StageKit

/// The state of an `aggregate` stage: its open windows, and the hash function of its different values.
///
/// The stage's thread changes it; the engine saves it on any thread, between two batches.
final class WindowState: StageState {
    private struct Content {
        var table: WindowTable
        var hasher = SipHash.random()
    }

    private let content: OrderedMutex<Content>
    /// The settings that determine the meaning of the state.
    private let signature: String

    /// Creates a state without windows.
    init(_ rules: WindowTable.Rules, signature: String) {
        self.content = OrderedMutex(Content(table: WindowTable(rules)))
        self.signature = signature
    }

    /// The hash function of different values.
    var hasher: SipHash { self.content.withLock(\.hasher) }

    /// Returns whether the table contains, or has refused, the event with an id.
    func contains(_ id: EventID) -> Bool {
        self.content.withLock { $0.table.last.map { id <= $0 } ?? false }
    }

    /// Adds an event: see `WindowTable.add`.
    func add(_ entry: WindowTable.WindowEvent) throws(WindowTable.Refusal) -> [WindowTable.Closed] {
        try self.content.withLock { (content) throws(WindowTable.Refusal) in try content.table.add(entry) }
    }

    /// Closes windows: see `WindowTable.advance`.
    func advance(to clock: Int64) -> [WindowTable.Closed] {
        self.content.withLock { $0.table.advance(to: clock) }
    }

    /// The windows as bytes.
    func save() -> [UInt8] {
        self.content.withLock { StateWriter.bytes(of: $0.table, hasher: $0.hasher, signature: self.signature) }
    }

    /// Replaces the windows with saved ones.
    func restore(_ bytes: [UInt8]) throws(StageFailure) {
        let rules = self.content.withLock(\.table.rules)
        let (table, hasher) = try StateReader.read(bytes, rules, signature: self.signature)
        self.content.withLock { $0 = Content(table: table, hasher: hasher) }
    }
}
