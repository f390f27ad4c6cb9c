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
    }

    /// The stores.
    let stores: [any SnapshotStore]
    private let parts: OrderedMutex<[Part]>

    /// Stores that are fed from so many streams.
    init(_ stores: [any SnapshotStore], streams: Int) {
        self.stores = stores
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
    func removeAll(by stream: Int, refillsOthers: Bool) {
        let interrupts = self.parts.withLock { parts -> [@Sendable () -> Void] in
            guard refillsOthers else { return [] }
            return parts.indices.filter { $0 != stream }.compactMap { other in
                parts[other].isToRefill = true
                return parts[other].interrupt
            }
        }
        for store in self.stores { store.removeAll() }
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

    /// Takes out what came from entries before this one.
    func removeSnapshots(before entry: EntryID) {
        for case let store as any SweepingStore in self.stores { store.removeSnapshots(before: entry) }
    }

    /// Empties the stores that cannot let go of a part.
    func removeAllUnswept() {
        for store in self.stores where !(store is any SweepingStore) { store.removeAll() }
    }

    /// Has stores elsewhere take out what they are to forget, before anything is read that they would hold.
    func finishRemovals() async throws {
        for case let store as any RemoteSnapshotStore in self.stores { try await store.finishRemoval() }
    }
}
