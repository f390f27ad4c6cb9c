public import StageKit

/// A revocation handler that records its calls.
public final class RecordingRevocationHandler: RevocationHandler {
    /// A call.
    public enum Call: Sendable, Equatable {
        /// A revocation: the key and the entry.
        case revoke(String, EntryID)
        /// An eviction: the key, the entry and the reason.
        case evicted(String, EntryID, reason: String)
        /// The reset of a store.
        case reset(StoreReset)
        /// The end of a batch.
        case endBatch
    }

    private let state = OrderedMutex((calls: [Call](), error: (any Error)?.none))

    /// Creates a handler without calls.
    public init() {}

    /// The calls so far, in order.
    public var calls: [Call] { self.state.withLock(\.calls) }

    /// Makes later ends of batches and announcements of expired snapshots throw `error`, or succeed if it is `nil`.
    public func failBatches(with error: (any Error)?) {
        self.state.withLock { $0.error = error }
    }

    /// Records the key and the entry.
    public func revoke(_ event: borrowing Event, key: FieldID) {
        let call = Call.revoke(event.text(of: key) ?? "", event.orderID)
        self.state.withLock { $0.calls.append(call) }
    }

    /// Records the key, the entry and the reason.
    public func evicted(_ event: borrowing Event, key: FieldID, reason: String) {
        let call = Call.evicted(event.text(of: key) ?? "", event.orderID, reason: reason)
        self.state.withLock { $0.calls.append(call) }
    }

    /// Records the reset.
    public func reset(_ reset: StoreReset) async throws {
        self.state.withLock { $0.calls.append(.reset(reset)) }
    }

    /// Records an eviction for each of the snapshots, or throws the error that was set.
    public func expired(_ snapshots: [ExpiredSnapshot]) async throws {
        try self.state.withLock { state in
            if let error = state.error { throw error }
            state.calls += snapshots.map {
                .evicted(String(decoding: $0.key, as: UTF8.self), $0.entry, reason: ExpiredSnapshot.reason)
            }
        }
    }

    /// Records the call, or throws the error that was set.
    public func endBatch() async throws {
        try self.state.withLock { state in
            if let error = state.error { throw error }
            state.calls.append(.endBatch)
        }
    }
}
