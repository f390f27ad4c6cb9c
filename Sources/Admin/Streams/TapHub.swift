import StageKit
import Synchronization

/// The hub for event taps: the producer of events asks it for watchers once per batch, which takes one relaxed load
/// while there are none.
public final class TapHub: Sendable {
    private let count = Atomic<Int>(0)
    private let all = OrderedMutex<[TapWatcher]>([])

    /// Creates a hub without watchers.
    public init() {}

    /// The current watchers.
    public var watchers: [TapWatcher] {
        if self.count.load(ordering: .relaxed) == 0 { return [] }
        return self.all.withLock { $0 }
    }

    func add(_ watcher: TapWatcher) {
        self.all.withLock { $0.append(watcher) }
        self.count.wrappingAdd(1, ordering: .relaxed)
    }

    func remove(_ watcher: TapWatcher) {
        self.count.wrappingSubtract(1, ordering: .relaxed)
        self.all.withLock { watchers in watchers.removeAll { $0 === watcher } }
    }
}

/// A watcher: its filter, and a bounded queue of lines that it has not read yet.
public final class TapWatcher: Sendable {
    /// The criteria for events; `nil` matches anything.
    public struct Filter: Sendable, Equatable {
        /// The stage that failed on the event or ended its processing.
        public var stage: String?
        /// The name of the outcome.
        public var outcome: String?
        /// The key, byte for byte.
        public var key: [UInt8]?

        /// Creates a filter.
        public init(stage: String? = nil, outcome: String? = nil, key: [UInt8]? = nil) {
            self.stage = stage
            self.outcome = outcome
            self.key = key
        }
    }

    private struct State {
        var lines: [String] = []
        var missed: UInt64 = 0
        var bucket = TokenBucket(perSecond: AdminLimits.tapEventsASecond)
    }

    /// The watcher's filter.
    public let filter: Filter
    let wakes = Wakes()
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = OrderedMutex(State())

    init(_ filter: Filter, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.filter = filter
        self.now = now
    }

    /// The number of lines that may be added now: the free space of the queue, limited by the rate per second.
    public var room: Int {
        self.state.withLock { state in
            max(0, min(AdminLimits.tapQueue - state.lines.count, Int(state.bucket.refill(at: self.now()))))
        }
    }

    /// Adds lines, one JSON object each, and the number of further events that did not fit.
    public func take(_ lines: [String], missed: UInt64) {
        if lines.isEmpty, missed == 0 { return }
        self.state.withLock { state in
            state.bucket.take(lines.count)
            let room = max(0, AdminLimits.tapQueue - state.lines.count)
            state.lines += lines.prefix(room)
            state.missed += missed + UInt64(max(0, lines.count - room))
        }
        self.wakes.wake()
    }

    /// Returns the lines and the number of missed events since the last call.
    func drain() -> (lines: [String], missed: UInt64) {
        self.state.withLock { state in
            defer {
                state.lines.removeAll(keepingCapacity: true)
                state.missed = 0
            }
            return (state.lines, state.missed)
        }
    }
}
