import StageKit

/// What a store says to a question about a key, where it minds how old its news is.
public enum SnapshotAnswer: Sendable, Equatable {
    /// The snapshot meets the condition.
    case yes
    /// There is a snapshot, and it does not.
    case no
    /// There is no snapshot.
    case absent
    /// It must not say: there was no news for too long, or it is being filled (`MemoryStore.freshness` tells which).
    case stale
}

extension MemoryStore {
    /// Whether the snapshot under a key meets a condition, unless the store's news is too old to say.
    ///
    /// The age is looked at now, so that the answer is right also after the process was stopped.
    public func ask(_ key: Span<UInt8>, _ condition: SnapshotCondition) -> SnapshotAnswer {
        guard let freshness = self.freshness, !freshness.isBeingFilled else { return .stale }
        let answer = self.check(key, condition)
        // After the look-up: a stop of the process between the two shows here.
        if freshness.isStale { return .stale }
        return switch answer {
        case .some(true): .yes
        case .some(false): .no
        case .none: .absent
        }
    }

    /// Whether the snapshot under a key given as text meets a condition, unless the store's news is too old to say.
    public func ask(_ key: String, _ condition: SnapshotCondition) -> SnapshotAnswer {
        self.ask(key.utf8.span, condition)
    }
}
