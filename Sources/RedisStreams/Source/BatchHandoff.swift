import ComponentKit
import RedisClient
import StageKit
import Synchronization

/// Passes the batches of several readers to a single consumer, one at a time, in the order in which they arrive.
///
/// All readers run on the source's thread. A reader offers one batch at a time and waits until it is processed, so at
/// most one batch per reader is waiting.
final class BatchHandoff: Sendable {
    /// A batch whose reader waits until it is processed.
    struct Offer: Sendable {
        /// Accessed only by the taker until `done` is set; the taker runs on the reader's thread.
        nonisolated(unsafe) let batch: EventBatch
        /// Set when the batch has been processed, to the error or to `nil`.
        let done: OneShot<(any Error)?>
    }

    private struct State {
        var offers: [Offer] = []
        /// The batches that have no outcome yet, oldest first: those offered and the one being processed.
        var undelivered: [(number: UInt64, count: Int, since: ContinuousClock.Instant)] = []
        var offered: UInt64 = 0
        var taker: OneShot<Offer?>?
        var readers: Int
    }

    private let state: Mutex<State>

    /// Creates a handoff for `readers` readers.
    init(readers: Int) {
        self.state = Mutex(State(readers: readers))
    }

    /// Offers a batch and waits until it is processed.
    ///
    /// - Throws: The error that processing the batch failed with.
    func offer(_ batch: EventBatch) async throws {
        let offer = Offer(batch: batch, done: OneShot())
        let (count, now) = (batch.count, ContinuousClock.now)
        let (taker, number) = self.state.withLock { state in
            state.offered += 1
            state.undelivered.append((state.offered, count, now))
            let taker = state.taker.take()
            if taker == nil { state.offers.append(offer) }
            return (taker, state.offered)
        }
        defer { self.state.withLock { state in state.undelivered.removeAll { $0.number == number } } }
        taker?.set(offer)
        if let error = await offer.done.value() { throw error }
    }

    /// The entries of all readers that have no outcome yet, or `nil` if there are none. Callable from any thread.
    var undelivered: UndeliveredEntries? {
        self.state.withLock { state in
            state.undelivered.first.map { first in
                UndeliveredEntries(count: state.undelivered.reduce(0) { $0 + $1.count }, since: first.since)
            }
        }
    }

    /// Records that a reader offers no more batches.
    func readerEnded() {
        let taker = self.state.withLock { state -> OneShot<Offer?>? in
            state.readers -= 1
            return state.readers == 0 ? state.taker.take() : nil
        }
        taker?.set(nil)
    }

    /// Returns the next batch, or `nil` if no reader is left. One call at a time.
    func next() async -> Offer? {
        let shot = OneShot<Offer?>()
        self.state.withLock { state in
            if !state.offers.isEmpty {
                shot.set(state.offers.removeFirst())
            } else if state.readers == 0 {
                shot.set(nil)
            } else {
                state.taker = shot
            }
        }
        return await shot.value()
    }
}
