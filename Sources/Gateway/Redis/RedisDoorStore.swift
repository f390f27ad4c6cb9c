/// The result of reading a snapshot.
public enum SnapshotFinding: Sendable, Equatable {
    /// The store holds a snapshot under the key.
    case found
    /// The store holds no snapshot under the key.
    case absent
    /// The store must not answer: it is being filled.
    case filling
    /// The store must not answer: its freshness is not confirmed.
    case stale

    /// Whether the store has answered.
    var isAnswer: Bool { self == .found || self == .absent }
}

/// The store behind the Redis door. Called from any thread; must not block.
public protocol RedisDoorStore: Sendable {
    /// The names of the store's conditions.
    var conditions: [String] { get }

    /// The number of snapshots.
    var count: Int { get }

    /// Why the store must not answer now (`filling` or `stale`), or `nil` if it may.
    var refusal: SnapshotFinding? { get }

    /// The time until the store becomes stale unless its freshness is confirmed before, or `nil` if it never does.
    var timeUntilStale: Duration? { get }

    /// Reads the snapshot under a key; `fields` is meaningful only if the result is `found`.
    func read(_ key: Span<UInt8>, _ fields: inout SnapshotFields) -> SnapshotFinding

    /// Appends the snapshot under a key as JSON; the bytes are meaningful only if the result is `found`.
    func readJSON(_ key: Span<UInt8>, _ bytes: inout [UInt8]) -> SnapshotFinding

    /// The name of a field by its number in `SnapshotFields`, or an empty text if the field is not to be shown.
    func fieldName(_ number: Int) -> String

    /// Decides whether the snapshot under a key meets a condition, by its index in `conditions`; never `missing`.
    func decide(_ key: Span<UInt8>, condition: Int) -> GatewayDecision

    /// Lists some keys and returns the cursor of the next call, 0 after the last key.
    ///
    /// A key that is there from the first call (with cursor 0) to the last one is listed.
    ///
    /// - Parameters:
    ///   - cursor: 0, or the result of the previous call; another number lists any keys.
    ///   - count: The approximate number of keys to look at.
    ///   - body: Called with each key.
    func scan(from cursor: UInt64, count: Int, _ body: (Span<UInt8>) -> Void) -> UInt64
}

/// The fields of a snapshot: numbers and values. One instance is used for many lookups and keeps its memory.
public struct SnapshotFields: ~Copyable {
    /// The values, one after the other.
    private(set) var bytes: [UInt8] = []
    /// The number of each field, and the end of its value in `bytes`.
    private(set) var fields: [(number: Int, end: Int)] = []

    /// Creates an empty collection.
    public init() {}

    /// Adds a field.
    public mutating func add(_ number: Int, _ value: Span<UInt8>) {
        unsafe value.withUnsafeBufferPointer { unsafe self.bytes.append(contentsOf: $0) }
        self.fields.append((number, self.bytes.count))
    }

    /// Removes all fields; memory is kept for the next lookup.
    public mutating func removeAll() {
        self.bytes.removeAll(keepingCapacity: true)
        self.fields.removeAll(keepingCapacity: true)
    }

    /// The range of the value at an index.
    func range(_ index: Int) -> Range<Int> {
        (index == 0 ? 0 : self.fields[index - 1].end)..<self.fields[index].end
    }
}
