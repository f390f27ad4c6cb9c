/// When a read was sent and how long it may wait, and what that proves. Pure.
package struct ReadTimes: Sendable {
    /// When it was sent.
    package let sent: ContinuousClock.Instant
    /// How long the server waits for entries where there are none.
    package let block: Duration

    /// A read wait longer than this part of the limit of staleness is long.
    private static let promptPart = 8

    /// A read.
    package init(sent: ContinuousClock.Instant, block: Duration) {
        self.sent = sent
        self.block = block
    }

    /// The instant up to which a read that found nothing proves that there was nothing: the server has looked when the
    /// block was over, however long its answer took to come.
    package func proofOfNothing(answered now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        min(now, self.sent + self.block)
    }

    /// The instant up to which a read proves that everything was in its reply; nil where the reply is full.
    package func proof(isFull: Bool) -> ContinuousClock.Instant? { isFull ? nil : self.sent }

    /// Whether the read was sent before a stalled batch had its outcomes: its reply says nothing about the entries that were
    /// added while the batch was in flight.
    package func isOutdated(by stallEnd: ContinuousClock.Instant?) -> Bool { stallEnd.map { self.sent < $0 } ?? false }

    /// Whether the next read must not wait: the reply was full, the read is outdated by a stalled batch, or the reply ended a
    /// wait that was long compared with the limit of staleness and proves nothing of that time.
    package func asksAtOnce(
        isFull: Bool, answered now: ContinuousClock.Instant, maxStaleness: Duration?,
        stallEnd: ContinuousClock.Instant? = nil
    ) -> Bool {
        isFull || self.isOutdated(by: stallEnd) || maxStaleness.map { now - self.sent > $0 / Self.promptPart } ?? false
    }
}
