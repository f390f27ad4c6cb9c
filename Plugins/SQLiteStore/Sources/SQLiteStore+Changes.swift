import StageKit

// The changes of writers, which are collected until the batch ends.
extension SQLiteStore {
    /// Stores an event's snapshot; see `SnapshotWriter`.
    func upsert(_ event: borrowing Event, key: [UInt8], fields: [Snapshot.Field]) throws -> StoreChange {
        let size = fields.reduce(key.count) { $0 + $1.name.utf8.count + $1.bytes.count }
        guard size <= self.settings.maxRecordBytes else {
            throw StageFailure(
                "store \"\(self.name)\" refuses a record of \(size) bytes: max_record_bytes is "
                    + "\(self.settings.maxRecordBytes)")
        }
        let (entry, index, isReplayed) = (event.orderID, event.streamIndex, event.isReplayed)
        return try self.changes.withLock { state in
            let held = try self.held(key, state)
            var request = Self.request(entry, index, state)
            request.isOfHeldOnly = isReplayed && state.historyStarts[index].map { entry <= $0 } ?? false
            let change = try request.upsert(over: held, store: self.name)
            guard change == .applied else { return change }
            if held?.isLive != true, state.totals.live >= self.settings.maxEntries {
                throw StageFailure("store \"\(self.name)\" is full: max_entries is \(self.settings.maxEntries)")
            }
            self.put(KeyState(entry: entry, stream: request.stream, fields: fields), key, instead: held, &state)
            return change
        }
    }

    /// Removes the snapshot under a key; see `SnapshotWriter`.
    func evict(_ entry: EntryID, of stream: Int, key: [UInt8]) throws -> StoreChange {
        try self.changes.withLock { state in
            let held = try self.held(key, state)
            let request = Self.request(entry, stream, state)
            let change = request.evict(over: held)
            guard change == .applied else { return change }
            self.put(KeyState(entry: entry, stream: request.stream, fields: nil), key, instead: held, &state)
            return change
        }
    }

    private static func request(_ entry: EntryID, _ stream: Int, _ state: ChangeState) -> ChangeRequest {
        let name = stream < state.streams.count ? state.streams[stream] : ""
        // Evictions of a time when only one stream fed the store count for all of them.
        let floor = [state.totals.floors[name], state.totals.floors[""]].compactMap(\.self).max()
        return ChangeRequest(entry: entry, stream: name, floor: floor)
    }

    /// The state of a key before a change.
    private func held(_ key: [UInt8], _ state: ChangeState) throws -> KeyState? {
        let (pending, isEmptied, failure) = self.overlay.withLock { ($0.pending[key], $0.isEmptied, $0.failure) }
        if let failure { throw self.failure("\(failure)") }
        if let pending { return pending }
        if isEmptied { return nil }
        guard let file = state.file else { throw self.failure("it is not open") }
        do throws(SQLiteFailure) {
            return try file.state(of: key)
        } catch {
            self.fail(error)
            throw self.failure("\(error)")
        }
    }

    private func put(_ new: KeyState, _ key: [UInt8], instead held: KeyState?, _ state: inout ChangeState) {
        switch held?.isLive {
        case true?: state.totals.live -= 1
        case false?: state.totals.evicted -= 1
        case nil: break
        }
        if new.isLive { state.totals.live += 1 } else { state.totals.evicted += 1 }
        let count = state.totals.live
        self.overlay.withLock { overlay in
            overlay.pending[key] = new
            overlay.count = count
        }
    }
}
