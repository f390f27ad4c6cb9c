import Admin
package import ComponentKit
package import Gateway
import StageKit

/// A store in this process behind the Redis door.
package struct InPlaceRedisStore: RedisDoorStore {
    private let store: any InPlaceStore
    private let freshness: Freshness
    private let probes: [any SnapshotProbe]

    /// The names of the store's conditions.
    package let conditions: [String]

    /// Resolves the conditions of a store.
    ///
    /// - Returns: `nil` if the store does not track its freshness.
    package init?(_ store: any InPlaceStore) {
        guard let freshness = store.freshness else { return nil }
        self.store = store
        self.freshness = freshness
        let named = store.conditions.compactMap { condition in
            store.makeProbe(named: condition.name, fields: []).map { (condition.name, $0) }
        }
        self.conditions = named.map(\.0)
        self.probes = named.map(\.1)
    }

    /// The number of snapshots.
    package var count: Int { self.store.count }

    /// Why the store must not answer now, or `nil` if it may.
    package var refusal: SnapshotFinding? {
        guard self.freshness.isStale else { return nil }
        return self.freshness.isBeingFilled ? .filling : .stale
    }

    /// The time until the last proof is too old, or `nil` without `max_staleness`.
    package var timeUntilStale: Duration? {
        guard let limit = self.freshness.maximumAge else { return nil }
        guard let age = self.freshness.age else { return .zero }
        return max(.zero, limit - age)
    }

    /// Reads the fields of a snapshot.
    package func read(_ key: Span<UInt8>, _ fields: inout SnapshotFields) -> SnapshotFinding {
        self.ask {
            fields.removeAll()
            return self.store.readFields(of: key) { fields.add($0, $1) }
        }
    }

    /// Reads a snapshot in the form of the HTTP interface.
    package func readJSON(_ key: Span<UInt8>, _ bytes: inout [UInt8]) -> SnapshotFinding {
        self.ask {
            guard let snapshot = self.store.snapshot(for: key) else { return false }
            SnapshotJSON.append(snapshot, to: &bytes)
            return true
        }
    }

    /// Makes a lookup between two checks of the freshness.
    private func ask(_ lookup: () -> Bool) -> SnapshotFinding {
        let fills = self.freshness.fills
        if self.freshness.isBeingFilled { return .filling }
        let isFound = lookup()
        if let refusal = self.refusal { return refusal }
        if self.freshness.fills != fills { return .filling }
        return isFound ? .found : .absent
    }

    /// The name of a field by its number.
    package func fieldName(_ number: Int) -> String { self.store.fieldName(number) }

    /// Decides whether a snapshot meets a condition.
    package func decide(_ key: Span<UInt8>, condition: Int) -> GatewayDecision {
        self.freshness.decide { self.probes[condition].check(key) { _ in } }
    }

    /// Lists some keys.
    package func scan(from cursor: UInt64, count: Int, _ body: (Span<UInt8>) -> Void) -> UInt64 {
        self.store.scanKeys(from: cursor, count: count, body)
    }
}
