public import StageKit

/// The last revocations, evictions and resets, numbered, for those who cut off what belongs to them: `/v1/revocations`.
///
/// Numbers begin at 1 with each start of the worker, and each start has a name of its own, so that a client that comes
/// back knows whether it has missed any. The thread that reads the stream adds to it once a batch; nobody else changes it.
public final class RevocationLog: Sendable {
    /// What an entry of the log is.
    public enum Kind: Sendable, Equatable {
        /// A key that its own snapshot revokes.
        case revocation
        /// A key that was taken out of a store, and why.
        case eviction(reason: String)
        /// A store that was emptied, and why: the entry has no key.
        case reset(store: String, reason: String)
    }

    /// The entries of a batch, in stream order: keys lie side by side, so that adding a revocation allocates nothing.
    public struct Batch: Sendable {
        private(set) var entries: [EntryID] = []
        private(set) var ends: [Int] = []
        private(set) var keys: [UInt8] = []
        /// The kinds of those that are not revocations, by their index.
        private(set) var others: [Int: Kind] = [:]

        /// Holds nothing.
        public init() {}

        /// Whether there is none.
        public var isEmpty: Bool { self.entries.isEmpty }

        /// Adds one behind the others.
        public mutating func add(_ key: Span<UInt8>, _ entry: EntryID, _ kind: Kind = .revocation) {
            if kind != .revocation { self.others[self.entries.count] = kind }
            self.entries.append(entry)
            for index in key.indices { self.keys.append(key[index]) }
            self.ends.append(self.keys.count)
        }

        /// How many revocations there are.
        var revocations: Int { self.entries.count - self.others.count }

        func kind(at index: Int) -> Kind { self.others[index] ?? .revocation }

        func key(at index: Int) -> [UInt8] { Array(self.keys[self.range(at: index)]) }

        /// Whether an entry's key is this one; allocates nothing.
        func holds(_ key: [UInt8], at index: Int) -> Bool {
            let range = self.range(at: index)
            return !range.isEmpty && range.count == key.count && self.keys[range].elementsEqual(key)
        }

        private func range(at index: Int) -> Range<Int> {
            (index == 0 ? 0 : self.ends[index - 1])..<self.ends[index]
        }
    }

    /// A revocation, an eviction or a reset.
    public struct Entry: Sendable, Equatable {
        /// Its number in this run of the worker.
        public var number: UInt64
        /// The key that is revoked or evicted; empty for a reset.
        public var key: [UInt8]
        /// The stream's entry that did it; zero for a reset.
        public var entry: EntryID
        /// What it is.
        public var kind = Kind.revocation
    }

    /// What a reader that has come so far gets next.
    struct Page {
        /// What is new, in order.
        var entries: [Entry] = []
        /// Where the reader is then.
        var cursor: UInt64
        /// Set where something before `entries` may be lost: why.
        var gap: Gap?
    }

    /// Why a reader may have missed entries.
    enum Gap: String {
        /// They were told by a worker that has been started again since.
        case restarted
        /// They are no longer kept.
        case expired
        /// The worker itself lost entries of the stream unread.
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
        /// Where the live chunks begin; those before are taken out when there are many.
        var start = 0
        var next: UInt64 = 1
        var keyBytes = 0
        var count = 0
        var total: UInt64 = 0
    }

    /// Names this run of the worker.
    public let run: String
    /// Woken when there is something new.
    let wakes = Wakes()
    private let countLimit: Int
    private let byteLimit: Int
    private let state = OrderedMutex(State())

    /// Makes an empty log with a name drawn at random.
    public convenience init() {
        self.init(run: String(UInt64.random(in: .min ... .max), radix: 36))
    }

    /// Makes an empty log that keeps this many entries, and so many bytes of their keys.
    init(
        run: String, countLimit: Int = AdminLimits.revocationsKept, byteLimit: Int = AdminLimits.revocationBytesKept
    ) {
        self.run = run
        self.countLimit = countLimit
        self.byteLimit = byteLimit
    }

    /// How many revocations there were in this run.
    public var total: UInt64 { self.state.withLock { $0.total } }

    /// Adds those of a batch.
    public func append(_ batch: Batch) {
        if batch.isEmpty { return }
        self.append(Chunk(first: 0, batch: batch))
    }

    /// Notes that entries of the stream were lost unread, and with them, perhaps, revocations: readers get a gap.
    public func noteLoss() {
        self.append(Chunk(first: 0, batch: Batch(), isLoss: true))
    }

    private func append(_ chunk: Chunk) {
        self.state.withLock { state in
            var chunk = chunk
            chunk.first = state.next
            state.next = chunk.end
            state.count += chunk.batch.entries.count
            state.total += UInt64(chunk.batch.revocations)
            state.keyBytes += chunk.batch.keys.count
            state.chunks.append(chunk)
            // The last one stays whatever its size: a batch has a limit of its own.
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
    }

    /// Where a reader begins that wants only what is to come.
    var end: UInt64 { self.state.withLock { $0.next - 1 } }

    /// The last entries, the newest first.
    public func newest(_ limit: Int) -> [Entry] {
        self.state.withLock { state in
            var found: [Entry] = []
            for chunk in state.chunks[state.start...].reversed() where found.count < limit {
                for index in chunk.batch.entries.indices.reversed() where found.count < limit {
                    found.append(Self.entry(chunk, index))
                }
            }
            return found
        }
    }

    /// The last revocations and evictions of a key that are still kept, the newest first. Looks at all that are kept, in some tenths of
    /// a millisecond at most, for which the stream's thread may have to wait.
    public func newest(of key: [UInt8], limit: Int) -> [Entry] {
        self.state.withLock { state in
            var found: [Entry] = []
            for chunk in state.chunks[state.start...].reversed() where found.count < limit {
                for index in chunk.batch.entries.indices.reversed() where found.count < limit {
                    if chunk.batch.holds(key, at: index) { found.append(Self.entry(chunk, index)) }
                }
            }
            return found
        }
    }

    /// What comes behind a number: a page of it, and whether anything before may be lost.
    func page(after cursor: UInt64, limit: Int = AdminLimits.revocationPage) -> Page {
        self.state.withLock { state in
            var page = Page(cursor: cursor)
            guard let oldest = state.chunks[state.start...].first else { return page }
            if cursor + 1 < oldest.first {
                page.gap = .expired
                page.cursor = oldest.first - 1
            }
            var index = Self.firstChunk(state.chunks, state.start, after: page.cursor)
            while index < state.chunks.count, page.entries.count < limit {
                let chunk = state.chunks[index]
                if chunk.isLoss {
                    // What stands before it is told first.
                    if !page.entries.isEmpty { break }
                    page.gap = page.gap ?? .entriesLost
                    page.cursor = chunk.first
                    index += 1
                    continue
                }
                for place in chunk.batch.entries.indices where chunk.first + UInt64(place) > page.cursor {
                    page.entries.append(Self.entry(chunk, place))
                    if page.entries.count == limit { break }
                }
                page.cursor = page.entries.last?.number ?? page.cursor
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

    private static func entry(_ chunk: Chunk, _ index: Int) -> Entry {
        Entry(
            number: chunk.first + UInt64(index), key: chunk.batch.key(at: index), entry: chunk.batch.entries[index],
            kind: chunk.batch.kind(at: index))
    }
}
