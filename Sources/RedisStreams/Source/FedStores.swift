import ComponentKit
import StageKit

/// The stores that a source feeds from one or more streams.
///
/// They are as recent as the stream that is furthest behind, filled when all streams are, and refilled from all streams
/// if one of them has emptied them.
///
/// Thread-safe; changes come from the source's thread.
final class FedStores: Sendable {
    /// The state of one stream.
    private struct Part {
        var isFilling = true
        /// Whether keys are being read, in no particular order.
        var isScanning = false
        /// Whether another stream's reader has emptied the stores since this stream began to fill them.
        var isToRefill = false
        var proof: ContinuousClock.Instant?
        var interrupt: (@Sendable () -> Void)?
        /// The resets that this stream's reader has yet to announce, in the order of the stores.
        var resets: [StoreReset] = []
    }

    /// The stores.
    let stores: [any SnapshotStore]
    private let handler: (any RevocationHandler)?
    private let parts: OrderedMutex<[Part]>

    /// Creates the stores for `streams` streams; `handler` is notified after a store was emptied.
    init(_ stores: [any SnapshotStore], streams: Int, handler: (any RevocationHandler)? = nil) {
        self.stores = stores
        self.handler = handler
        self.parts = OrderedMutex(Array(repeating: Part(), count: streams))
        for store in stores { store.freshness?.setFilledInOrder(streams == 1) }
    }

    /// Sets whether the stores are being filled from a stream, and whether keys are being read for that.
    func setFilling(_ isFilling: Bool, isScanning: Bool = false, of stream: Int) {
        // Within the lock: otherwise, the result for one stream could overwrite that of a later call for another one.
        self.parts.withLock { parts in
            parts[stream].isFilling = isFilling
            parts[stream].isScanning = isScanning
            let isAnyFilling = parts.contains { $0.isFilling || $0.isToRefill }
            let isInOrder = parts.count == 1 && !isScanning
            for store in self.stores {
                store.freshness?.setFilledInOrder(isInOrder)
                store.freshness?.setFilling(isAnyFilling)
            }
        }
    }

    /// Records that the stores held every entry of a stream at this instant.
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

    /// Empties the stores because of one stream.
    ///
    /// - Parameters:
    ///   - stream: The index of that stream.
    ///   - reason: The reason that `announceResets` announces.
    ///   - refillsOthers: Whether the other streams have to be read again, because the stores are filled from the
    ///     streams.
    func removeAll(by stream: Int, reason: String = "gap", refillsOthers: Bool) {
        let interrupts = self.parts.withLock { parts -> [@Sendable () -> Void] in
            guard refillsOthers else { return [] }
            return parts.indices.filter { $0 != stream }.compactMap { other in
                parts[other].isToRefill = true
                return parts[other].interrupt
            }
        }
        // The snapshots of the other streams are gone too: nothing is known of those streams until they are opened
        // again.
        for other in 0..<self.parts.withLock(\.count) where other != stream { self.setHistoryStart(.max, of: other) }
        for store in self.stores {
            store.removeAll()
            self.owe(StoreReset(store: store.name, reason: reason), by: stream)
        }
        for interrupt in interrupts { interrupt() }
    }

    /// Sets the function that is called when a stream has to be read again; it must not block.
    func setInterrupt(of stream: Int, _ interrupt: (@Sendable () -> Void)?) {
        self.parts.withLock { $0[stream].interrupt = interrupt }
    }

    /// Returns whether a stream has to be read again, and clears that request.
    func takeRefill(of stream: Int) -> Bool {
        self.parts.withLock { parts in
            guard parts[stream].isToRefill else { return false }
            parts[stream].isToRefill = false
            parts[stream].isFilling = true
            return true
        }
    }

    /// Records that the stores may have missed entries of a stream up to this one.
    func setHistoryStart(_ entry: EntryID, of stream: Int) {
        for store in self.stores.compactMap(\.streamFed) { store.setHistoryStart(entry, of: stream) }
    }

    /// Removes the snapshots of entries before this one. No batch is in flight, so the count shows whether any were
    /// removed. If only expired ones are removed meanwhile, the reset is announced needlessly.
    func removeSnapshots(before entry: EntryID, by stream: Int) {
        for store in self.stores.compactMap(\.sweeping) {
            let count = store.count
            store.removeSnapshots(before: entry)
            if store.count < count { self.owe(StoreReset(store: store.name, reason: Self.resync), by: stream) }
        }
    }

    /// Empties the stores that cannot remove only some of their snapshots.
    func removeAllUnswept(by stream: Int, reason: String) {
        for store in self.stores where store.sweeping == nil {
            store.removeAll()
            self.owe(StoreReset(store: store.name, reason: reason), by: stream)
        }
    }

    /// The reason of a reset that removed unconfirmed snapshots.
    private static let resync = "resync"

    private func owe(_ reset: StoreReset, by stream: Int) {
        guard self.handler != nil else { return }
        self.parts.withLock { parts in
            // Emptied twice before the handler was notified: the first reason says more than that of a repeated fill.
            if !parts[stream].resets.contains(where: { $0.store == reset.store }) { parts[stream].resets.append(reset) }
        }
    }

    /// Whether this stream's reader has resets to announce.
    func owesResets(of stream: Int) -> Bool { self.parts.withLock { !$0[stream].resets.isEmpty } }

    /// Announces the resets of this stream's reader.
    ///
    /// - Parameter finished: Whether `finishRemovals` has returned since the removals. If not, resets of remote stores
    ///   remain pending, because those stores still hold everything.
    func announceResets(of stream: Int, finished: Bool) async throws {
        guard let handler = self.handler else { return }
        let elsewhere = Set(self.stores.compactMap(\.remote?.name))
        for reset in self.parts.withLock({ $0[stream].resets }) where finished || !elsewhere.contains(reset.store) {
            try await handler.reset(reset)
            self.parts.withLock { $0[stream].resets.removeAll { $0 == reset } }
        }
    }

    /// Makes the stores complete their removals, before any entry is read that they would store.
    func finishRemovals() async throws {
        for store in self.stores { try await store.finishRemoval() }
    }
}
