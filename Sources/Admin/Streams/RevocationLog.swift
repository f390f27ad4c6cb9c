public import StageKit

/// The latest revocations, evictions and resets, numbered, for the clients of `/v1/revocations`.
///
/// Numbers begin at 1 with each start of the worker, and each start has a name of its own, so that a reconnecting
/// client knows whether it has missed any. The thread that reads the stream adds to the log, once per batch, and so does
/// the task that removes expired snapshots.
public final class RevocationLog: Sendable {
    /// The kind of a notice.
    public enum Kind: Sendable, Equatable {
        /// A key that its own snapshot revokes.
        case revocation
        /// A key that was removed from a store, and the reason.
        case eviction(reason: String)
        /// A store that was emptied, and the reason; the notice has no key.
        case reset(store: String, reason: String)
    }

    /// The entries of a batch, in stream order. Keys are stored contiguously, so that adding a revocation allocates
    /// nothing.
    public struct Batch: Sendable {
        /// The stream entries of the batch.
        package private(set) var entries: [EntryID] = []
        private(set) var ends: [Int] = []
        private(set) var keys: [UInt8] = []
        /// The kinds of the entries that are not revocations, by index.
        private(set) var others: [Int: Kind] = [:]

        /// Creates an empty batch.
        public init() {}

        /// Whether the batch is empty.
        public var isEmpty: Bool { self.entries.isEmpty }

        /// Appends an entry.
        public mutating func add(_ key: Span<UInt8>, _ entry: EntryID, _ kind: Kind = .revocation) {
            if kind != .revocation { self.others[self.entries.count] = kind }
            self.entries.append(entry)
            for index in key.indices { self.keys.append(key[index]) }
            self.ends.append(self.keys.count)
        }

        /// The number of revocations.
        var revocations: Int { self.entries.count - self.others.count }

        /// The kind of the entry at `index`.
        package func kind(at index: Int) -> Kind { self.others[index] ?? .revocation }

        /// The key of the entry at `index`; empty for a reset.
        package func key(at index: Int) -> [UInt8] { Array(self.keys[self.range(at: index)]) }

        /// Whether the entry at `index` has this key; allocates nothing.
        func holds(_ key: [UInt8], at index: Int) -> Bool {
            let range = self.range(at: index)
            return !range.isEmpty && range.count == key.count && self.keys[range].elementsEqual(key)
        }

        private func range(at index: Int) -> Range<Int> {
            (index == 0 ? 0 : self.ends[index - 1])..<self.ends[index]
        }
    }

    /// A revocation, an eviction or a reset.
    public struct Notice: Sendable, Equatable {
        /// The notice's number in this run of the worker.
        public var number: UInt64
        /// The key that is revoked or evicted; empty for a reset.
        public var key: [UInt8]
        /// The stream entry that caused it; zero for a reset.
        public var entry: EntryID
        /// The kind of the notice.
        public var kind = Kind.revocation
    }

    /// The next notices for a reader.
    struct Page {
        /// The new notices, in order.
        var notices: [Notice] = []
        /// The reader's cursor after this page.
        var cursor: UInt64
        /// The reason why notices before `notices` may be lost, or `nil` if none are.
        var gap: Gap?
    }

    /// Why a reader may have missed notices.
    enum Gap: String {
        /// The reader's cursor belongs to an earlier run of the worker.
        case restarted
        /// The notices are no longer kept.
        case expired
        /// The worker itself lost entries of the stream before reading them.
        case entriesLost = "entries_lost"
    }

    private struct Chunk {
        var first: UInt64
        var batch: Batch
        var isLoss = false
        var end: UInt64 { self.first + UInt64(max(1, self.batch.entries.count)) }
    }

    private struct State {
        var chunks: [Chunk] = []
        /// The index of the first live chunk; the chunks before it are removed in groups.
        var start = 0
        var next: UInt64 = 1
        var keyBytes = 0
        var count = 0
        var total: UInt64 = 0
    }

    /// The name of this run of the worker.
    public let run: String
    /// Wakes readers when there are new notices.
    let wakes = Wakes()
    private let countLimit: Int
    private let byteLimit: Int
    private let state = OrderedMutex(State())
    private let listener = OrderedMutex<(@Sendable (Batch?) -> Void)?>(nil)

    /// Creates an empty log with a random name.
    public convenience init() {
        self.init(run: String(UInt64.random(in: .min ... .max), radix: 36))
    }

    /// Creates an empty log that keeps at most `countLimit` notices and `byteLimit` bytes of their keys.
    init(
        run: String, countLimit: Int = AdminLimits.revocationsKept, byteLimit: Int = AdminLimits.revocationBytesKept
    ) {
        self.run = run
        self.countLimit = countLimit
        self.byteLimit = byteLimit
    }

    /// The number of revocations in this run.
    public var total: UInt64 { self.state.withLock { $0.total } }

    /// Appends the entries of a batch.
    public func append(_ batch: Batch) {
        if batch.isEmpty { return }
        self.append(Chunk(first: 0, batch: batch))
    }

    /// Notes that entries of the stream, and possibly revocations, were lost before they were read: readers get a gap.
    public func noteLoss() {
        self.append(Chunk(first: 0, batch: Batch(), isLoss: true))
    }

    /// Sets the function that is called with each later batch, and with `nil` for each loss; it must not block.
    package func setListener(_ listener: @escaping @Sendable (Batch?) -> Void) {
        self.listener.withLock { $0 = listener }
    }

    private func append(_ chunk: Chunk) {
        let listener = self.listener.withLock { $0 }
        self.state.withLock { state in
            var chunk = chunk
            chunk.first = state.next
            state.next = chunk.end
            state.count += chunk.batch.entries.count
            state.total += UInt64(chunk.batch.revocations)
            state.keyBytes += chunk.batch.keys.count
            state.chunks.append(chunk)
            // The newest chunk is always kept, whatever its size: batches have their own limit.
            while state.chunks.count - state.start > 1,
                state.count > self.countLimit || state.keyBytes > self.byteLimit
                    || state.chunks.count - state.start > self.countLimit
            {
                state.count -= state.chunks[state.start].batch.entries.count
                state.keyBytes -= state.chunks[state.start].batch.keys.count
                state.chunks[state.start].batch = Batch()
                state.start += 1
            }
            if state.start > state.chunks.count / 2, state.start > 64 {
                state.chunks.removeFirst(state.start)
                state.start = 0
            }
        }
        self.wakes.wake()
        listener?(chunk.isLoss ? nil : chunk.batch)
    }

    /// The cursor of a reader that wants only future notices.
    var end: UInt64 { self.state.withLock { $0.next - 1 } }

    /// Returns the latest notices, newest first.
    public func newest(_ limit: Int) -> [Notice] {
        self.state.withLock { state in
            var found: [Notice] = []
            for chunk in state.chunks[state.start...].reversed() where found.count < limit {
                for index in chunk.batch.entries.indices.reversed() where found.count < limit {
                    found.append(Self.notice(chunk, index))
                }
            }
            return found
        }
    }

    /// Returns the latest revocations and evictions of a key that are still kept, newest first. Scans the whole log,
    /// which takes some tenths of a millisecond at most; the stream's thread may have to wait for that time.
    public func newest(of key: [UInt8], limit: Int) -> [Notice] {
        self.state.withLock { state in
            var found: [Notice] = []
            for chunk in state.chunks[state.start...].reversed() where found.count < limit {
                for index in chunk.batch.entries.indices.reversed() where found.count < limit {
                    if chunk.batch.holds(key, at: index) { found.append(Self.notice(chunk, index)) }
                }
            }
            return found
        }
    }

    /// Returns a page of the notices after a number, and whether notices before the page may be lost.
    func page(after cursor: UInt64, limit: Int = AdminLimits.revocationPage) -> Page {
        self.state.withLock { state in
            var page = Page(cursor: cursor)
            guard let oldest = state.chunks[state.start...].first else { return page }
            if cursor + 1 < oldest.first {
                page.gap = .expired
                page.cursor = oldest.first - 1
            }
            var index = Self.firstChunk(state.chunks, state.start, after: page.cursor)
            while index < state.chunks.count, page.notices.count < limit {
                let chunk = state.chunks[index]
                if chunk.isLoss {
                    // Earlier notices are returned first; the next page reports the gap.
                    if !page.notices.isEmpty { break }
                    page.gap = page.gap ?? .entriesLost
                    page.cursor = chunk.first
                    index += 1
                    continue
                }
                for place in chunk.batch.entries.indices where chunk.first + UInt64(place) > page.cursor {
                    page.notices.append(Self.notice(chunk, place))
                    if page.notices.count == limit { break }
                }
                page.cursor = page.notices.last?.number ?? page.cursor
                index += 1
            }
            return page
        }
    }

    private static func firstChunk(_ chunks: [Chunk], _ start: Int, after cursor: UInt64) -> Int {
        var (low, high) = (start, chunks.count)
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle].end <= cursor + 1 { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func notice(_ chunk: Chunk, _ index: Int) -> Notice {
        Notice(
            number: chunk.first + UInt64(index), key: chunk.batch.key(at: index), entry: chunk.batch.entries[index],
            kind: chunk.batch.kind(at: index))
    }
}
