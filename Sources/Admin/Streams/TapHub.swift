import StageKit
import Synchronization

/// Where people watch events go by: whoever has events asks it for watchers, once a batch, which is one relaxed load
/// while there are none.
public final class TapHub: Sendable {
    private let count = Atomic<Int>(0)
    private let all = OrderedMutex<[TapWatcher]>([])

    /// Has no watchers.
    public init() {}

    /// Who watches now.
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

/// One who watches: what they want to see, and a bounded queue of what they have not seen yet.
public final class TapWatcher: Sendable {
    /// What is wanted; nil for anything.
    public struct Filter: Sendable, Equatable {
        /// The stage that failed on the event or ended its way.
        public var stage: String?
        /// The outcome, by its name.
        public var outcome: String?
        /// The key, byte for byte.
        public var key: [UInt8]?

        /// Makes a filter.
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

    /// What is wanted.
    public let filter: Filter
    let wakes = Wakes()
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = OrderedMutex(State())

    init(_ filter: Filter, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.filter = filter
        self.now = now
    }

    /// How many lines may be handed over now: what the queue has room for, and what a second has left.
    public var room: Int {
        self.state.withLock { state in
            max(0, min(AdminLimits.tapQueue - state.lines.count, Int(state.bucket.refill(at: self.now()))))
        }
    }

    /// Hands lines over, one JSON object each, and says how many more there were that no room was left for.
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

    /// What has come since the last call.
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
