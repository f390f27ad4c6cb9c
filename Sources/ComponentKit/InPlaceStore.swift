public import StageKit

/// A store in this process whose snapshots are read where they are, so that the doors of the section `gateway` can
/// answer from it.
///
/// All functions can be called from any thread at any time and must not wait. They do not consider the store's
/// freshness, which the caller checks before and after.
public protocol InPlaceStore: ConditionalStore {
    /// Resolves a condition, once for many lookups.
    ///
    /// - Parameters:
    ///   - condition: The condition.
    ///   - fields: The names of fields whose values lookups return.
    /// - Returns: The probe.
    func makeProbe(_ condition: ConditionSettings, fields: [String]) -> any SnapshotProbe

    /// Resolves a condition of the store's settings, once for many lookups.
    ///
    /// - Parameters:
    ///   - name: The name of the condition.
    ///   - fields: The names of fields whose values lookups return.
    /// - Returns: The probe, or `nil` if there is no condition of that name.
    func makeProbe(named name: String, fields: [String]) -> (any SnapshotProbe)?

    /// Calls `body` with the number and the value of each field of the snapshot under a key.
    ///
    /// - Returns: Whether there is a snapshot.
    func readFields(of key: Span<UInt8>, _ body: (_ field: Int, _ value: Span<UInt8>) -> Void) -> Bool

    /// Returns the name of a field by its number, or an empty text if the field is not to be shown.
    func fieldName(_ number: Int) -> String

    /// Lists some keys and returns the cursor of the next call, 0 after the last key. A key that is there from the
    /// first call (with cursor 0) to the last one is listed.
    ///
    /// - Parameters:
    ///   - cursor: 0, or the result of the previous call; another number lists any keys.
    ///   - count: The approximate number of keys to look at. The work of a call is bounded even if it finds few.
    ///   - body: Called with each key.
    func scanKeys(from cursor: UInt64, count: Int, _ body: (Span<UInt8>) -> Void) -> UInt64

    /// Notifies an observer of all later changes.
    ///
    /// - Returns: Whether the store reports changes. The Redis door requires it, so that its clients can keep copies.
    func observe(_ observer: any SnapshotObserver) -> Bool
}

/// A condition on the snapshots of a store, resolved for many lookups.
public protocol SnapshotProbe: Sendable {
    /// Whether the snapshot under a key meets the condition, or `nil` if there is none.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - body: Called with the value of each field of the probe, in order, if the condition is met; `nil` for a field
    ///     that the snapshot does not have. The condition and the values are those of the same snapshot.
    func check(_ key: Span<UInt8>, _ body: (Span<UInt8>?) -> Void) -> Bool?
}

extension InPlaceStore {
    /// This store.
    public var inPlace: (any InPlaceStore)? { self }

    /// `false`: the store has no observers.
    public func observe(_ observer: any SnapshotObserver) -> Bool { false }
}
