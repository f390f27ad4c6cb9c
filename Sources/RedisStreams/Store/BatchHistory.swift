import StageKit

/// The changes that entries of the current batch have made to each key, used to derive the result that each change
/// would have had in stream order. Does no I/O.
///
/// The stages of a graph process a batch one after the other, so a later entry's snapshot may be written before an
/// earlier entry's eviction is requested. The server then refuses the eviction as older, which leaves the correct
/// state. In stream order the eviction would have been applied, so that is its outcome.
struct BatchHistory: Sendable {
    /// A requested change.
    struct Request: Sendable {
        /// The key on the server.
        var key: [UInt8]
        /// The entry that requests the change.
        var entry: EntryID
        /// The requested change.
        var change: SnapshotScript.Change
        /// The event's position in stream order. For a replayed event this is the id of the replay, which is above
        /// `entry`; otherwise it equals `entry`.
        var position: EntryID

        /// Creates a request. `position` defaults to `entry`; pass it only for a replayed event.
        init(key: [UInt8], entry: EntryID, change: SnapshotScript.Change, position: EntryID? = nil) {
            self.key = key
            self.entry = entry
            self.change = change
            self.position = position ?? entry
        }
    }

    /// The known changes of a key.
    private struct Key {
        /// The last change before the batch and its entry, or `nil` if unknown.
        var before: (entry: EntryID, change: SnapshotScript.Change)?
        /// The entries of the batch that have requested a change.
        var asking: Set<EntryID> = []
        /// The last change of each position, among those that were applied or would have been applied in stream order.
        var changed: [EntryID: (entry: EntryID, change: SnapshotScript.Change)] = [:]

        /// Returns the result of a change after all changes at or before its position, by the rules of
        /// `SnapshotScript`.
        func inOrder(_ request: Request) -> StoreChange {
            if let before = self.before, before.entry > request.entry { return .older }
            var last = self.before
            for (position, changed) in self.changed where position <= request.position {
                if last.map({ changed.entry >= $0.entry }) ?? true { last = changed }
            }
            guard let last, last.entry >= request.entry else { return .applied }
            if last.entry > request.entry { return .older }
            switch (request.change, last.change) {
            case (.evict, .upsert): return .applied
            case (.evict, .evict), (.upsert, .upsert): return .repeated
            case (.upsert, .evict): return .older
            }
        }
    }

    private var keys: [[UInt8]: Key] = [:]

    /// Creates an empty history.
    init() {}

    /// Records that a change is about to be requested.
    mutating func ask(_ request: Request) {
        self.keys[request.key, default: Key()].asking.insert(request.entry)
    }

    /// Records the server's result, and returns the result that the change would have had in stream order.
    ///
    /// Call this in the order in which the server made the changes, if it is known: the state that a later entry
    /// of the batch found under the key determines what an earlier entry, applied after it, would have found.
    ///
    /// - Parameters:
    ///   - result: The server's result.
    ///   - request: The requested change.
    ///   - mayBeRepeated: Whether the change may have been sent before and its answer lost. If so, and the server has
    ///     already made the change, it was made by this request.
    /// - Returns: The result in stream order.
    mutating func note(
        _ result: SnapshotScript.Result, of request: Request, mayBeRepeated: Bool = false
    ) -> StoreChange {
        var known = self.keys[request.key] ?? Key()
        let change = Self.inOrder(result, of: request, &known, mayBeRepeated: mayBeRepeated)
        if change == .applied { known.changed[request.position] = (request.entry, request.change) }
        self.keys[request.key] = known
        return change
    }

    private static func inOrder(
        _ result: SnapshotScript.Result, of request: Request, _ known: inout Key, mayBeRepeated: Bool
    ) -> StoreChange {
        let isOwn = result.held.map { held in
            known.changed.values.contains { $0.entry == held.entry }
                || (mayBeRepeated && known.asking.contains(held.entry))
        }
        if isOwn == false, let held = result.held { known.before = (held.entry, held.isLive ? .upsert : .evict) }
        switch result.change {
        case .applied: return .applied
        case .repeated: return mayBeRepeated && known.changed[request.position] == nil ? .applied : .repeated
        case .older: return isOwn == true ? known.inOrder(request) : .older
        }
    }

    /// Discards the keys of a batch that has ended.
    mutating func forget(_ keys: some Sequence<[UInt8]>) {
        for key in keys { self.keys[key] = nil }
    }
}
