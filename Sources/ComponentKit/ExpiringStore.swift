public import StageKit

/// A store whose snapshots expire.
///
/// Lookups do not find an expired snapshot from the moment of its expiry on. Its memory is freed soon after, by
/// `removeExpired`, which the pipeline calls about once a second while it runs, at the same time as changes and lookups.
public protocol ExpiringStore: SnapshotStore {
    /// The number of snapshots that were removed because they had expired.
    var expiredCount: Int { get }

    /// How long a snapshot is valid after the time in its entry's id, or `nil` if that time does not matter.
    var timeToLive: Duration? { get }

    /// Announces snapshots that have expired, then removes them.
    ///
    /// The work of a call is bounded: what it does not get to is left to the next one. One call at a time.
    ///
    /// - Parameter announce: Announces some snapshots. They are removed after it has returned, unless an entry has
    ///   renewed them meanwhile.
    /// - Throws: The error of `announce`. Its snapshots are announced again by a later call.
    func removeExpired(_ announce: nonisolated(nonsending) ([ExpiredSnapshot]) async throws -> Void) async throws
}

extension ExpiringStore {
    /// This store. A store whose settings decide whether snapshots expire returns `nil` if they do not.
    public var expiring: (any ExpiringStore)? { self }

    /// The time in the entry's id does not matter.
    public var timeToLive: Duration? { nil }
}
