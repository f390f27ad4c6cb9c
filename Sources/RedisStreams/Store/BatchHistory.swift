import StageKit

/// What entries of the batch in hand have done to each key, to tell what each would have found in stream order. Pure.
///
/// The stages of a graph come to their events of a batch one after the other, so a later entry's snapshot may be held
/// before an earlier entry's eviction is asked for. The server refuses that one as older, and the state is right; but in
/// stream order it had been applied, and its outcome says so.
struct BatchHistory: Sendable {
    /// A change that is asked for.
    struct Request: Sendable {
        /// The key on the server.
        var key: [UInt8]
        /// The entry that asks for it.
        var entry: EntryID
        /// What it asks for.
        var change: SnapshotScript.Change
        /// Where the event stands in the stream: the entry's own id, which is above `entry` if it is a replayed one.
        var position: EntryID

        /// Makes a request; `position` is the entry itself unless it is a replayed one.
        init(key: [UInt8], entry: EntryID, change: SnapshotScript.Change, position: EntryID? = nil) {
            self.key = key
            self.entry = entry
            self.change = change
            self.position = position ?? entry
        }
    }

    /// What is known of a key.
    private struct Key {
        /// The entry that it was last changed by before the batch, and what that made of it; nil where nothing is known.
        var before: (entry: EntryID, change: SnapshotScript.Change)?
        /// The entries of the batch that have asked for a change.
        var asking: Set<EntryID> = []
        /// What those have made of it last that were applied, or would have been in stream order; by their positions.
        var changed: [EntryID: (entry: EntryID, change: SnapshotScript.Change)] = [:]

        /// What becomes of a change after those that do not stand behind it: what `SnapshotScript` says.
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

    /// Nothing was done yet.
    init() {}

    /// Notes that a change is about to be asked for.
    mutating func ask(_ request: Request) {
        self.keys[request.key, default: Key()].asking.insert(request.entry)
    }

    /// Notes what the server did; returns what it would have done in stream order.
    ///
    /// To be called in the order in which the server made the changes, as far as that is known: what a later entry of the
    /// batch has found under the key tells what an earlier one, made behind it, would have found.
    ///
    /// - Parameter mayBeRepeated: Whether the change may have been sent before, its answer lost: then what is found done
    ///   was its own doing.
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

    /// Forgets keys: their batch has ended.
    mutating func forget(_ keys: some Sequence<[UInt8]>) {
        for key in keys { self.keys[key] = nil }
    }
}
