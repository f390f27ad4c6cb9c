import StageKit
import Synchronization

/// The freshness of a store: written by the source that feeds the store and checked at every lookup.
///
/// Thread-safe and lock-free. Times are instants of `ContinuousClock`, which also runs while the process or the machine
/// is suspended: a lookup right after a long suspension finds the store stale, even if the source has not noticed it
/// yet.
public final class Freshness: Sendable {
    /// The reason why a store must not answer.
    public enum Staleness: Sendable, Equatable {
        /// The store is being filled and may be older than the stream.
        case filling
        /// The store is not known to have been up to date within the limit.
        case noNews(age: Duration?, limit: Duration)
    }

    private static let never = Int64.min
    private static let unlimited = Int64.max

    private let origin = ContinuousClock.now
    private let limit = Atomic<Int64>(Freshness.unlimited)
    private let proof = Atomic<Int64>(Freshness.never)
    private let isFilling = Atomic<Bool>(false)
    private let isInOrder = Atomic<Bool>(true)
    private let fillCount = Atomic<UInt64>(0)
    private let mirror: (any FreshnessMirror)?

    /// Creates a freshness without an age limit, which applies until the source sets one.
    public init() {
        self.mirror = nil
    }

    /// Creates a freshness whose changes are also reported to a mirror.
    package init(mirror: (any FreshnessMirror)?) {
        self.mirror = mirror
    }

    // MARK: For sources

    /// Sets the maximum age, or `nil` for no limit.
    public func setLimit(_ limit: Duration?) {
        let nanoseconds = limit.map { Self.nanoseconds($0) }
        self.limit.store(nanoseconds ?? Self.unlimited, ordering: .relaxed)
        self.mirror?.setLimit(nanoseconds)
    }

    /// Sets whether the store is being filled.
    public func setFilling(_ isFilling: Bool) {
        if isFilling { self.fillCount.add(1, ordering: .releasing) }
        self.isFilling.store(isFilling, ordering: .releasing)
        self.mirror?.setFilling(isFilling)
    }

    /// Sets whether the store is filled with the entries of one stream, in order; this is so until a source says
    /// otherwise.
    ///
    /// An event of that stream then finds the result of all earlier events, also while the store is being filled. If
    /// several streams fill the store, or keys in no particular order, the snapshot that an event needs may be yet to
    /// come.
    public func setFilledInOrder(_ isFilledInOrder: Bool) {
        self.isInOrder.store(isFilledInOrder, ordering: .releasing)
    }

    /// Records that the store held every entry at this instant. An earlier instant than the recorded one is ignored.
    ///
    /// Must be called from one thread at a time.
    public func prove(at instant: ContinuousClock.Instant) {
        let nanoseconds = Self.nanoseconds(instant - self.origin)
        guard nanoseconds > self.proof.load(ordering: .relaxed) else { return }
        self.proof.store(nanoseconds, ordering: .releasing)
        self.mirror?.prove(at: instant)
    }

    // MARK: For lookups

    /// Changes whenever a fill begins. Read it before `isBeingFilled` and compare it after the lookup: otherwise, a
    /// reader that was suspended during a whole fill could use what it found in the middle of it.
    public var fills: UInt64 { self.fillCount.load(ordering: .acquiring) }

    /// Whether the store is being filled. Check this before a lookup and `isStale` after it: a result obtained in
    /// between comes from a filled and fresh store.
    public var isBeingFilled: Bool { self.isFilling.load(ordering: .acquiring) }

    /// Whether the store is filled with the entries of one stream, in order; see `setFilledInOrder`.
    public var isFilledInOrder: Bool { self.isInOrder.load(ordering: .acquiring) }

    /// Whether lookups must not be answered now. Takes about 30 ns with an age limit, less without one.
    public var isStale: Bool {
        if self.isFilling.load(ordering: .acquiring) { return true }
        let limit = self.limit.load(ordering: .relaxed)
        guard limit != Self.unlimited else { return false }
        let proof = self.proof.load(ordering: .acquiring)
        guard proof != Self.never else { return true }
        return Self.nanoseconds(ContinuousClock.now - self.origin) - proof > limit
    }

    /// The reason why lookups must not be answered now, or `nil` if they may be.
    public var staleness: Staleness? {
        guard self.isStale else { return nil }
        if self.isFilling.load(ordering: .acquiring) { return .filling }
        return .noNews(age: self.age, limit: .nanoseconds(self.limit.load(ordering: .relaxed)))
    }

    /// The maximum age of the last proof, above which lookups are refused, or `nil` for no limit.
    public var maximumAge: Duration? {
        let limit = self.limit.load(ordering: .relaxed)
        return limit == Self.unlimited ? nil : .nanoseconds(limit)
    }

    /// The time since the store was last known to hold every entry, or `nil` if it never was.
    public var age: Duration? {
        let proof = self.proof.load(ordering: .acquiring)
        return proof == Self.never ? nil : (ContinuousClock.now - self.origin) - .nanoseconds(proof)
    }

    /// The instant at which the store was last known to hold every entry, or `nil` if it never was.
    package var proven: ContinuousClock.Instant? {
        let proof = self.proof.load(ordering: .acquiring)
        return proof == Self.never ? nil : self.origin + .nanoseconds(proof)
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        // Saturates beyond 292 years.
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max - 1 : product + attoseconds / 1_000_000_000
    }
}

/// A copy of a store's freshness outside of this process, which is kept up to date.
package protocol FreshnessMirror: AnyObject, Sendable {
    /// Sets the maximum age in nanoseconds, or `nil` for no limit.
    func setLimit(_ nanoseconds: Int64?)
    /// Sets whether the store is being filled.
    func setFilling(_ isFilling: Bool)
    /// Records that the store held every entry at this instant, which is later than all before.
    func prove(at instant: ContinuousClock.Instant)
}

extension Freshness.Staleness: CustomStringConvertible {
    /// A message for operators.
    public var description: String {
        switch self {
        case .filling: "the store is being filled"
        case .noNews(nil, _): "the store's freshness has not been confirmed yet"
        case .noNews(.some(let age), let limit):
            "the store's freshness was last confirmed \(age.microseconds / 1000) ms ago, more than max_staleness "
                + SettingUnits.text(limit)
        }
    }
}
