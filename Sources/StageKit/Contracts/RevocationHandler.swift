/// Is notified of everything that ends a session, so that it can cut off what belongs to it: connections, tokens, caches.
///
/// There are three kinds. A revocation is a snapshot that says so, and the store holds it. An eviction takes a key out
/// of a store because an event that names the key cannot be relied on. A reset takes out keys that no event names.
/// Only `revoke` has to be implemented; a gateway that relies on a store implements all three, because lookups
/// find nothing after an eviction or a reset either.
public protocol RevocationHandler: Sendable {
    /// Called after the store was asked to hold the revoked snapshot, in stream order (with lanes, in stream order for each
    /// lane), on the thread that reads the stream: it must not wait.
    ///
    /// Called at least once for each revocation, and again if the entry is read again, even if the store holds something
    /// newer under the key by then: the first reading may have stopped before the handler was called. A handler that ends
    /// sessions can therefore end one that has been renewed since; it must not look the key up first and skip the call.
    /// The key's text is `event.text(of: key)`, its bytes `event.withValue(of: key)`.
    func revoke(_ event: borrowing Event, key: FieldID)

    /// Called after an event took its key out of a store, as `revoke` is and in the same order.
    ///
    /// Called at least once for each eviction, also if the store did not hold the key, held something newer or refused
    /// the change: whoever relies on the key asks the store.
    ///
    /// - Parameters:
    ///   - event: The event that names the key, borrowed for the call.
    ///   - key: The field that holds the key.
    ///   - reason: The reason of the event's failure, such as `malformed_event`; the name of the stage for an event that
    ///     has not failed.
    func evicted(_ event: borrowing Event, key: FieldID, reason: String)

    /// Called after a source emptied a store, or a part of it, before the source reads on; it may wait.
    ///
    /// - Throws: An error if the reset could not be handed on, which ends the run.
    func reset(_ reset: StoreReset) async throws

    /// Called after each batch that had a revocation or an eviction, before the cursor moves; it may wait, and throws if
    /// they could not be handed on, which ends the run.
    /// Cancelling the task makes it give up.
    func endBatch() async throws

    /// Called once, when the pipeline has ended: a place to close connections.
    func shutDown() async
}

extension RevocationHandler {
    /// Does nothing.
    public func evicted(_ event: borrowing Event, key: FieldID, reason: String) {}

    /// Does nothing.
    public func reset(_ reset: StoreReset) async throws {}

    /// Does nothing.
    public func endBatch() async throws {}

    /// Does nothing.
    public func shutDown() async {}
}

/// The removal of snapshots that no event names: any key that the store held may be gone.
public struct StoreReset: Sendable, Equatable {
    /// The store's name in the file.
    public var store: String
    /// The reason: the kind of the gap that emptied the store, such as `trimmed`; `bootstrap` if keys are read again from
    /// the first; `resync` if snapshots that could not be confirmed were taken out after one.
    public var reason: String

    /// Makes a reset.
    public init(store: String, reason: String) {
        self.store = store
        self.reason = reason
    }
}

/// A revocation handler made of closures. They are called on the thread that reads the stream and must not wait.
public struct RevocationCallback: RevocationHandler {
    private let onRevocation: @Sendable (String, EntryID) -> Void
    private let onEviction: @Sendable (String, EntryID, String) -> Void
    private let onReset: @Sendable (StoreReset) -> Void

    /// Makes a handler.
    ///
    /// - Parameters:
    ///   - onRevocation: Called with the revoked key and the entry's id.
    ///   - onEviction: Called with the evicted key, the entry's id and the reason.
    ///   - onReset: Called for a store that was emptied: ask for every key that is relied on.
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
}
