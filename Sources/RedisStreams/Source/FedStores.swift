import StageKit

/// The stores that a source feeds from one stream or several: as new as the stream that is furthest behind, filled when
/// all streams are, and filled again from all of them where one has emptied them.
///
/// Thread-safe; changes come from the source's thread.
final class FedStores: Sendable {
    /// How one of the streams is doing.
    private struct Part {
        var isFilling = true
        /// Whether another stream's reader has emptied the stores since this one began to fill them.
        var isToRefill = false
        var proof: ContinuousClock.Instant?
        var interrupt: (@Sendable () -> Void)?
        /// The resets that this stream's reader has to announce, in the order of the stores.
        var resets: [StoreReset] = []
    }

    /// The stores.
    let stores: [any SnapshotStore]
    private let handler: (any RevocationHandler)?
    private let parts: OrderedMutex<[Part]>

    /// Stores that are fed from so many streams; `handler` is notified when one was emptied.
    init(_ stores: [any SnapshotStore], streams: Int, handler: (any RevocationHandler)? = nil) {
        self.stores = stores
        self.handler = handler
        self.parts = OrderedMutex(Array(repeating: Part(), count: streams))
    }

    /// Says whether a stream is being filled in.
    func setFilling(_ isFilling: Bool, of stream: Int) {
        let isAnyFilling = self.parts.withLock { parts in
            parts[stream].isFilling = isFilling
            return parts.contains { $0.isFilling || $0.isToRefill }
        }
        for store in self.stores { store.freshness?.setFilling(isAnyFilling) }
    }

    /// Notes that at this instant the stores held everything that there was in a stream.
    func prove(at instant: ContinuousClock.Instant, of stream: Int) {
        let all = self.parts.withLock { parts -> ContinuousClock.Instant? in
            parts[stream].proof = max(parts[stream].proof ?? instant, instant)
            var earliest = instant
            for part in parts {
                guard let proof = part.proof else { return nil }
                earliest = min(earliest, proof)
            }
            return earliest
        }
        guard let all else { return }
        for store in self.stores { store.freshness?.prove(at: all) }
    }

    /// Empties the stores for a stream; where that is how they are filled, the other streams are to be read again.
    ///
    /// - Parameter reason: What is announced as the reason, by `announceResets`.
    func removeAll(by stream: Int, reason: String = "gap", refillsOthers: Bool) {
        let interrupts = self.parts.withLock { parts -> [@Sendable () -> Void] in
            guard refillsOthers else { return [] }
            return parts.indices.filter { $0 != stream }.compactMap { other in
                parts[other].isToRefill = true
                return parts[other].interrupt
            }
        }
        // The snapshots of the other streams are gone too: nothing is known of them until they are opened again.
        for other in 0..<self.parts.withLock(\.count) where other != stream { self.setHistoryStart(.max, of: other) }
        for store in self.stores {
            store.removeAll()
            self.owe(StoreReset(store: store.name, reason: reason), by: stream)
        }
        for interrupt in interrupts { interrupt() }
    }

    /// Has `interrupt` called when a stream is to be read again; it must not wait.
    func setInterrupt(of stream: Int, _ interrupt: (@Sendable () -> Void)?) {
        self.parts.withLock { $0[stream].interrupt = interrupt }
    }

    /// Whether a stream is to be read again: true once for each time.
    func takeRefill(of stream: Int) -> Bool {
        self.parts.withLock { parts in
            guard parts[stream].isToRefill else { return false }
            parts[stream].isToRefill = false
            parts[stream].isFilling = true
            return true
        }
    }

    /// Says that the stores may have missed entries of a stream up to this one.
    func setHistoryStart(_ entry: EntryID, of stream: Int) {
        for case let store as any StreamFedStore in self.stores { store.setHistoryStart(entry, of: stream) }
    }

    /// Takes out what came from entries before this one. No batch is under way, so the count says whether anything went.
    func removeSnapshots(before entry: EntryID, by stream: Int) {
        for case let store as any SweepingStore in self.stores {
            let count = store.count
            store.removeSnapshots(before: entry)
            if store.count < count { self.owe(StoreReset(store: store.name, reason: Self.resync), by: stream) }
        }
    }

    /// Empties the stores that cannot let go of a part.
    func removeAllUnswept(by stream: Int, reason: String) {
        for store in self.stores where !(store is any SweepingStore) {
            store.removeAll()
            self.owe(StoreReset(store: store.name, reason: reason), by: stream)
        }
    }

    /// The reason of a reset that took out what could not be confirmed.
    private static let resync = "resync"

    private func owe(_ reset: StoreReset, by stream: Int) {
        guard self.handler != nil else { return }
        self.parts.withLock { parts in
            // Emptied twice before anybody heard of it: the first reason tells more than the attempts to fill again.
            if !parts[stream].resets.contains(where: { $0.store == reset.store }) { parts[stream].resets.append(reset) }
        }
    }

    /// Whether this stream's reader has resets to announce.
    func owesResets(of stream: Int) -> Bool { self.parts.withLock { !$0[stream].resets.isEmpty } }

    /// Announces the resets of this stream's reader.
    ///
    /// - Parameter finished: Whether `finishRemovals` has returned since. If not, resets of stores elsewhere stay owed,
    ///   as those hold everything still.
    func announceResets(of stream: Int, finished: Bool) async throws {
        guard let handler = self.handler else { return }
        let elsewhere = Set(self.stores.filter { $0 is any RemoteSnapshotStore }.map(\.name))
        for reset in self.parts.withLock({ $0[stream].resets }) where finished || !elsewhere.contains(reset.store) {
            try await handler.reset(reset)
            self.parts.withLock { $0[stream].resets.removeAll { $0 == reset } }
        }
    }

    /// Has stores elsewhere take out what they are to forget, before anything is read that they would hold.
    func finishRemovals() async throws {
        for case let store as any RemoteSnapshotStore in self.stores { try await store.finishRemoval() }
    }
}
