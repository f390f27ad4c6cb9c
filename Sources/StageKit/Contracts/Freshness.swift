import Synchronization

/// How new a store's news is, written by the source that feeds the store and asked at every look-up.
///
/// Thread-safe and without locks. Time is that of `ContinuousClock`, which goes on while the process or the machine is
/// stopped: a look-up right after a long stop finds the news too old, whatever the source has noticed so far.
public final class Freshness: Sendable {
    /// Why a store must not answer.
    public enum Staleness: Sendable, Equatable {
        /// It is being filled: what it holds may be older than what the stream says.
        case filling
        /// There is no proof that it held everything at any time in the last while.
        case noNews(age: Duration?, limit: Duration)
    }

    private static let never = Int64.min
    private static let unlimited = Int64.max

    private let origin = ContinuousClock.now
    private let limit = Atomic<Int64>(Freshness.unlimited)
    private let proof = Atomic<Int64>(Freshness.never)
    private let isFilling = Atomic<Bool>(false)

    /// News that never gets too old: how it is until a source says otherwise.
    public init() {}

    // MARK: What a source says

    /// Sets how old the news may get, nil for any age.
    public func setLimit(_ limit: Duration?) {
        self.limit.store(limit.map { Self.nanoseconds($0) } ?? Self.unlimited, ordering: .relaxed)
    }

    /// Says whether the store is being filled.
    public func setFilling(_ isFilling: Bool) {
        self.isFilling.store(isFilling, ordering: .releasing)
    }

    /// Notes that at this instant the store held everything that there was; an earlier instant than before changes nothing.
    ///
    /// Called from one thread at a time.
    public func prove(at instant: ContinuousClock.Instant) {
        let nanoseconds = Self.nanoseconds(instant - self.origin)
        if nanoseconds > self.proof.load(ordering: .relaxed) { self.proof.store(nanoseconds, ordering: .releasing) }
    }

    // MARK: What look-ups ask

    /// Whether the store is being filled. To be asked before a look-up, where `isStale` is to be asked after it: what was
    /// looked up in between was in the store while it was filled, and its news was new enough.
    public var isBeingFilled: Bool { self.isFilling.load(ordering: .acquiring) }

    /// Whether a look-up must not be answered now: some 30 ns where there is a limit, less where there is none.
    public var isStale: Bool {
        if self.isFilling.load(ordering: .acquiring) { return true }
        let limit = self.limit.load(ordering: .relaxed)
        guard limit != Self.unlimited else { return false }
        let proof = self.proof.load(ordering: .acquiring)
        guard proof != Self.never else { return true }
        return Self.nanoseconds(ContinuousClock.now - self.origin) - proof > limit
    }

    /// Why a look-up must not be answered now; nil where it may.
    public var staleness: Staleness? {
        guard self.isStale else { return nil }
        if self.isFilling.load(ordering: .acquiring) { return .filling }
        return .noNews(age: self.age, limit: .nanoseconds(self.limit.load(ordering: .relaxed)))
    }

    /// How old the last proof may be before lookups are refused; nil for any age.
    public var maximumAge: Duration? {
        let limit = self.limit.load(ordering: .relaxed)
        return limit == Self.unlimited ? nil : .nanoseconds(limit)
    }

    /// How long ago the store held everything for certain; nil before it ever did.
    public var age: Duration? {
        let proof = self.proof.load(ordering: .acquiring)
        return proof == Self.never ? nil : (ContinuousClock.now - self.origin) - .nanoseconds(proof)
    }

    /// The instant at which the store held everything for certain; nil before it ever did.
    package var proven: ContinuousClock.Instant? {
        let proof = self.proof.load(ordering: .acquiring)
        return proof == Self.never ? nil : self.origin + .nanoseconds(proof)
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        // Beyond 292 years it stops at the limit.
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max - 1 : product + attoseconds / 1_000_000_000
    }
}

extension Freshness.Staleness: CustomStringConvertible {
    /// A sentence for an operator.
    public var description: String {
        switch self {
        case .filling: "the store is being filled"
        case .noNews(nil, _): "there has been no news of the stream yet"
        case .noNews(.some(let age), let limit):
            "the last news of the stream is \(age.microseconds / 1000) ms old, more than max_staleness "
                + SettingUnits.text(limit)
        }
    }
}
