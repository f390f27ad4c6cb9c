/// The time at which a read was sent, its block time, and the conclusions that they allow. Pure.
package struct ReadTimes: Sendable {
    /// The time at which the read was sent.
    package let sent: ContinuousClock.Instant
    /// How long the server waits if there are no entries.
    package let block: Duration

    /// A wait longer than the staleness limit divided by this number is long.
    private static let promptPart = 8

    /// Creates the times of a read.
    package init(sent: ContinuousClock.Instant, block: Duration) {
        self.sent = sent
        self.block = block
    }

    /// Returns the instant up to which a read that found nothing proves that there was nothing: the server checked when
    /// the block time ended, however long the reply took to arrive.
    package func proofOfNothing(answered now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        min(now, self.sent + self.block)
    }

    /// Returns the instant up to which the reply is known to contain every entry, or `nil` if the reply is full.
    package func proof(isFull: Bool) -> ContinuousClock.Instant? { isFull ? nil : self.sent }

    /// Returns whether the read was sent before a stalled batch had its outcomes: its reply says nothing about the
    /// entries that were added while the batch was in flight.
    package func isOutdated(by stallEnd: ContinuousClock.Instant?) -> Bool { stallEnd.map { self.sent < $0 } ?? false }

    /// Returns whether the next read must not wait: the reply was full, the read is outdated by a stalled batch, or the
    /// reply ended a wait that was long compared with the staleness limit and proves nothing about that time.
    package func asksAtOnce(
        isFull: Bool, answered now: ContinuousClock.Instant, maxStaleness: Duration?,
        stallEnd: ContinuousClock.Instant? = nil
    ) -> Bool {
        isFull || self.isOutdated(by: stallEnd) || maxStaleness.map { now - self.sent > $0 / Self.promptPart } ?? false
    }
}
