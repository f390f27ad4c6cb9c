/// Is notified when a key is no longer valid, so that it can close or invalidate everything that depends on the key, such
/// as connections, tokens and caches.
///
/// There are four kinds of notification. A revocation is a snapshot that marks its key as revoked; the store holds it.
/// An eviction removes a key from a store because an event that names the key cannot be trusted. A reset removes keys
/// that no event names. An expiry removes keys whose time is over. Only `revoke` has to be implemented. A gateway that
/// relies on a store implements all four, because lookups also find nothing after an eviction, a reset or an expiry.
public protocol RevocationHandler: Sendable {
    /// Called after the store was asked to hold the revoked snapshot, in stream order (with lanes, in stream order
    /// within each lane), on the thread that reads the stream. It must not wait.
    ///
    /// Called at least once for each revocation, and again if the entry is read again, even if the store then holds a
    /// newer snapshot under the key: the first run may have stopped before the handler was called. A handler that ends
    /// sessions can therefore end a session that has been renewed since. It must not look the key up first and skip the
    /// call.
    ///
    /// The key's text is `event.text(of: key)`; its bytes are `event.withValue(of: key)`.
    ///
    /// - Parameters:
    ///   - event: The event that revokes the key, borrowed for the call.
    ///   - key: The field that holds the key.
    func revoke(_ event: borrowing Event, key: FieldID)

    /// Called after an event removed its key from a store, in the same order and on the same thread as `revoke`.
    ///
    /// Called at least once for each eviction, even if the store did not hold the key, held a newer snapshot or refused
    /// the change. Code that relies on the key looks it up in the store.
    ///
    /// - Parameters:
    ///   - event: The event that names the key, borrowed for the call.
    ///   - key: The field that holds the key.
    ///   - reason: The reason of the event's failure, such as `malformed_event`, or the name of the stage if the event
    ///     has not failed.
    func evicted(_ event: borrowing Event, key: FieldID, reason: String)

    /// Called after a source emptied a store or a part of it, before the source continues reading. It may wait.
    ///
    /// - Throws: An error if the reset could not be passed on, which ends the run.
    func reset(_ reset: StoreReset) async throws

    /// Called for snapshots that have expired, before a store removes them. It may wait.
    ///
    /// Called at least once for each of them, soon after its expiry; lookups have not found it since the expiry itself.
    /// The key can have been renewed by a newer entry meanwhile: code that must not end a renewed session compares the
    /// entry with that of the current snapshot.
    ///
    /// Called by a task of its own, at the same time as the other functions.
    ///
    /// - Throws: An error if the notification could not be passed on. The snapshots are announced again later.
    func expired(_ snapshots: [ExpiredSnapshot]) async throws

    /// Called after each batch that had a revocation or an eviction, before the cursor moves. It may wait, and must
    /// give up when the task is cancelled.
    ///
    /// - Throws: An error if the notifications could not be passed on, which ends the run.
    func endBatch() async throws

    /// Closes connections. Called once, when the pipeline has ended.
    func shutDown() async
}

extension RevocationHandler {
    /// Does nothing.
    public func evicted(_ event: borrowing Event, key: FieldID, reason: String) {}

    /// Does nothing.
    public func reset(_ reset: StoreReset) async throws {}

    /// Does nothing.
    public func expired(_ snapshots: [ExpiredSnapshot]) async throws {}

    /// Does nothing.
    public func endBatch() async throws {}

    /// Does nothing.
    public func shutDown() async {}
}

/// The removal of snapshots that no event names: any key that the store held may be gone.
public struct StoreReset: Sendable, Equatable {
    /// The store's name in the file.
    public var store: String
    /// The reason: `bootstrap` if all keys are read again, `resync` if snapshots were removed that could not be confirmed
    /// after a gap, or the kind of the gap that emptied the store, such as `trimmed`.
    public var reason: String

    /// Creates a reset.
    public init(store: String, reason: String) {
        self.store = store
        self.reason = reason
    }
}

/// A snapshot that has expired.
public struct ExpiredSnapshot: Sendable, Equatable {
    /// The reason that announces it: that of an eviction.
    public static let reason = "expired"

    /// The key.
    public var key: [UInt8]
    /// The entry of the snapshot: the last one that updated it.
    public var entry: EntryID

    /// Creates an expired snapshot.
    public init(key: [UInt8], entry: EntryID) {
        self.key = key
        self.entry = entry
    }
}

/// A revocation handler made of closures. They are called on the thread that reads the stream, for snapshots that have
/// expired on another one, and must not wait.
public struct RevocationCallback: RevocationHandler {
    private let onRevocation: @Sendable (String, EntryID) -> Void
    private let onEviction: @Sendable (String, EntryID, String) -> Void
    private let onReset: @Sendable (StoreReset) -> Void

    /// Creates a handler.
    ///
    /// - Parameters:
    ///   - onRevocation: Called with the revoked key and the entry's id.
    ///   - onEviction: Called with the evicted key, the entry's id and the reason; also for a snapshot that has expired,
    ///     with the id of its entry and the reason `expired`.
    ///   - onReset: Called for a store that was emptied; look up every key that you rely on.
    public init(
        _ onRevocation: @escaping @Sendable (_ key: String, _ entry: EntryID) -> Void,
        onEviction: @escaping @Sendable (_ key: String, _ entry: EntryID, _ reason: String) -> Void = { _, _, _ in },
        onReset: @escaping @Sendable (StoreReset) -> Void = { _ in }
    ) {
        self.onRevocation = onRevocation
        self.onEviction = onEviction
        self.onReset = onReset
    }

    /// Calls the closure for revocations.
    public func revoke(_ event: borrowing Event, key: FieldID) {
        self.onRevocation(event.text(of: key) ?? "", event.orderID)
    }

    /// Calls the closure for evictions.
    public func evicted(_ event: borrowing Event, key: FieldID, reason: String) {
        self.onEviction(event.text(of: key) ?? "", event.orderID, reason)
    }

    /// Calls the closure for resets.
    public func reset(_ reset: StoreReset) async throws {
        self.onReset(reset)
    }

    /// Calls the closure for evictions.
    public func expired(_ snapshots: [ExpiredSnapshot]) async throws {
        for snapshot in snapshots {
            self.onEviction(String(decoding: snapshot.key, as: UTF8.self), snapshot.entry, ExpiredSnapshot.reason)
        }
    }
}
