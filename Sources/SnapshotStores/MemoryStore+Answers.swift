import ComponentKit
import StageKit

/// A store's answer to a question about a key that takes freshness into account.
public enum SnapshotAnswer: Sendable, Equatable {
    /// The snapshot meets the condition.
    case yes
    /// There is a snapshot, and it does not.
    case no
    /// There is no snapshot.
    case absent
    /// The store must not answer: its freshness is not confirmed, or it is being filled (`MemoryStore.freshness` says
    /// which).
    case stale
}

extension MemoryStore {
    /// Whether the snapshot under a key meets a condition, unless the freshness of the store is not confirmed.
    ///
    /// The age is computed at the time of the call, so that the answer is also right after the process was suspended.
    public func ask(_ key: Span<UInt8>, _ condition: SnapshotCondition) -> SnapshotAnswer {
        guard let freshness = self.freshness else { return .stale }
        let fills = freshness.fills
        if freshness.isBeingFilled { return .stale }
        let answer = self.check(key, condition)
        // After the lookup: a suspension of the process between the two is detected here.
        if freshness.isStale || freshness.fills != fills { return .stale }
        return switch answer {
        case .some(true): .yes
        case .some(false): .no
        case .none: .absent
        }
    }

    /// Whether the snapshot under a key given as text meets a condition, unless the freshness of the store is not
    /// confirmed.
    public func ask(_ key: String, _ condition: SnapshotCondition) -> SnapshotAnswer {
        self.ask(key.utf8.span, condition)
    }

    /// Whether the snapshot under a key meets a condition, unless the freshness of the store is not confirmed; calls
    /// `body` with the snapshot if it does.
    ///
    /// The condition and `body` see the same copy. What `body` has read must not be used unless the answer is `yes`:
    /// the store may turn out to be stale after it was called.
    public func ask(
        _ key: Span<UInt8>, _ condition: SnapshotCondition, _ body: (borrowing SnapshotView) -> Void
    ) -> SnapshotAnswer {
        guard let freshness = self.freshness else { return .stale }
        let fills = freshness.fills
        if freshness.isBeingFilled { return .stale }
        let answer = self.withSnapshot(for: key) { (snapshot) -> Bool in
            guard snapshot.meets(condition) else { return false }
            body(snapshot)
            return true
        }
        if freshness.isStale || freshness.fills != fills { return .stale }
        return switch answer {
        case .some(true): .yes
        case .some(false): .no
        case .none: .absent
        }
    }
}
