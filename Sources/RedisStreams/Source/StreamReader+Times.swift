import ComponentKit
import StageKit

// The time of a silent stream, for stages that wait for the end of a window.
extension StreamReader {
    /// How much the delivered time is behind the server's estimated clock: that clock is read when a connection is
    /// opened, to within the time of a round trip and a server's timer, and the clocks may be adjusted afterwards.
    private static let clockMargin = Duration.seconds(1)

    /// Delivers a batch without entries, with the time by the server's clock up to which there were none. Does nothing if
    /// the server does not report its clock.
    ///
    /// - Parameters:
    ///   - proof: The instant up to which a read has proved that there was nothing.
    ///   - now: The time of the reply.
    func deliverTime(
        provenUpTo proof: ContinuousClock.Instant, _ now: ContinuousClock.Instant, _ deliver: StreamDriver.Deliver
    ) async throws(ReadEnd) {
        var offset: Double?
        self.driver.update { offset = $0.status.clockOffset }
        guard let offset else { return }
        let age = ContinuousClock.now - proof + Self.clockMargin
        let time = Double(WallClock.system.milliseconds) + offset * 1000 - age.seconds * 1000
        guard time > 0, let milliseconds = UInt64(exactly: time.rounded(.down)) else { return }
        self.driver.batch.removeAll()
        self.driver.batch.deliveredUpTo = milliseconds
        _ = try await self.driver.hand(deliver, since: now)
    }
}
