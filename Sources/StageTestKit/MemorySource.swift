public import ComponentKit
public import StageKit

/// A source for tests and replays that delivers the given entries and ends.
public final class MemorySource: EventSource {
    /// An entry to deliver.
    public struct Entry: Sendable {
        /// The id.
        public var id: EntryID
        /// The fields, in order.
        public var fields: [(name: [UInt8], value: [UInt8])]
        /// The failure with which the source refuses the entry, or `nil` if it does not. The entry's fields are those
        /// that the source could read.
        public var refusal: StageFailure?

        /// Creates an entry.
        public init(id: EntryID, fields: [(name: [UInt8], value: [UInt8])]) {
            self.id = id
            self.fields = fields
        }

        /// Creates an entry from text.
        public init(_ milliseconds: UInt64, _ fields: KeyValuePairs<String, String>) {
            self.id = EntryID(milliseconds: milliseconds, sequence: 0)
            self.fields = fields.map { (Array($0.key.utf8), Array($0.value.utf8)) }
        }
    }

    /// The stream's name.
    public let stream: String
    /// The name of the group whose workers share the entries.
    public let groupName: String?
    private let entries: [Entry]
    private let batchSize: Int
    private let state = OrderedMutex((status: SourceStatus(), isStopped: false))

    /// Creates a source that delivers `entries` in batches of `batchSize`.
    public init(stream: String = "memory", entries: [Entry], batchSize: Int = 128, groupName: String? = nil) {
        precondition(batchSize > 0, "a batch contains at least one entry")
        self.stream = stream
        self.groupName = groupName
        self.entries = entries
        self.batchSize = batchSize
    }

    /// Delivers all entries, or those up to a call of `stop`.
    public func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        self.state.withLock { $0.status.state = .reading }
        defer { self.state.withLock { $0.status.state = .stopped } }
        let batch = EventBatch()
        batch.stream = self.stream
        var next = 0
        while next < self.entries.count, !self.state.withLock({ $0.isStopped }) {
            batch.removeAll()
            for entry in self.entries[next...].prefix(self.batchSize) {
                batch.append(id: entry.id, fields: entry.fields)
                if let refusal = entry.refusal { batch.refuse(refusal, isPartial: !entry.fields.isEmpty) }
            }
            batch.takeOriginals()
            try await deliver(batch)
            next += batch.count
            let cursor = batch.lastID
            self.state.withLock { $0.status.cursor = cursor }
        }
        let isAtEnd = next == self.entries.count
        self.state.withLock { $0.status.isCaughtUp = isAtEnd }
    }

    /// Ends the run after the batch in flight.
    public func stop() {
        self.state.withLock { $0.isStopped = true }
    }

    /// The source's status.
    public var status: SourceStatus { self.state.withLock { $0.status } }
}
