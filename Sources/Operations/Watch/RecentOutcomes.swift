import StageKit

/// The latest failed and skipped events, for the dashboard and `sluice explain`.
///
/// Failed and skipped events are kept separately, so that many skipped events do not displace the failed ones. Applied
/// events are not included: the store holds the last one of each key.
package final class RecentOutcomes: Sendable {
    /// Maximum number of lines kept of each kind, of a few hundred bytes each.
    static let limit = 2048
    /// Maximum number of failed events kept per batch; in a flood the rest is only counted, which costs next to
    /// nothing.
    static let failuresABatch = 64
    /// Maximum number of skipped events kept per batch.
    static let skippedABatch = 16

    /// One event.
    struct Line: Sendable, Equatable {
        /// The hash of its key for lookups, or `nil` if it has none.
        var key: Int?
        /// The event as one line of JSON.
        var json: String
        /// Orders events across the kinds: the number of events kept before it.
        var number: UInt64
    }

    /// The events to keep of a batch.
    struct Batch {
        /// Failed events that are kept.
        var failures: [(key: Int?, json: String)] = []
        /// Skipped events that are kept.
        var skipped: [(key: Int?, json: String)] = []
        /// The number of events not kept because there were too many.
        var unkept: UInt64 = 0

        /// Whether the batch is empty.
        var isEmpty: Bool { self.failures.isEmpty && self.skipped.isEmpty && self.unkept == 0 }
    }

    private struct Ring {
        var lines: [Line] = []
        var next = 0

        mutating func add(_ line: Line) {
            if self.lines.count < RecentOutcomes.limit { return self.lines.append(line) }
            self.lines[self.next] = line
            self.next = (self.next + 1) % RecentOutcomes.limit
        }

        /// The lines, newest first.
        var newest: some Sequence<Line> {
            (0..<self.lines.count).lazy.map { [self] in
                self.lines[(self.next + self.lines.count - 1 - $0) % self.lines.count]
            }
        }
    }

    private struct State {
        var failures = Ring()
        var skipped = Ring()
        var count: UInt64 = 0
        var unkept: UInt64 = 0
    }

    private let state = OrderedMutex(State())

    /// Returns the hash for lookups of a key, valid only in this process.
    static func hash(_ key: Span<UInt8>) -> Int {
        var hasher = Hasher()
        unsafe key.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// Adds the events of a batch.
    func add(_ batch: Batch) {
        if batch.isEmpty { return }
        self.state.withLock { state in
            for (key, json) in batch.failures {
                state.count += 1
                state.failures.add(Line(key: key, json: json, number: state.count))
            }
            for (key, json) in batch.skipped {
                state.count += 1
                state.skipped.add(Line(key: key, json: json, number: state.count))
            }
            state.unkept += batch.unkept
        }
    }

    /// Returns the latest failed events, newest first.
    func failures(_ limit: Int) -> [Line] {
        self.state.withLock { Array($0.failures.newest.prefix(limit)) }
    }

    /// Returns the known events of a key, newest first.
    func events(of key: [UInt8], limit: Int) -> [Line] {
        let hash = Self.hash(key.span)
        return self.state.withLock { state in
            let found =
                Array(state.failures.newest.filter { $0.key == hash }.prefix(limit))
                + Array(state.skipped.newest.filter { $0.key == hash }.prefix(limit))
            return Array(found.sorted { $0.number > $1.number }.prefix(limit))
        }
    }

    /// Total number of events, and the number of those not kept because a batch had too many.
    var counts: (kept: UInt64, unkept: UInt64) { self.state.withLock { ($0.count, $0.unkept) } }
}
