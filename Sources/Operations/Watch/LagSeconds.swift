import ComponentKit
import StageKit

extension SourceStatus {
    /// The lag in seconds: the age of the last processed entry, by its id, while more entries are pending, or the time
    /// that a stalled batch has been in flight, if that is longer. 0 when caught up.
    ///
    /// `nil` if it is unknown: before the first entry, while disconnected with nothing known to be pending, and if the
    /// id is not a time.
    ///
    /// - Parameter now: Seconds since the epoch, by this machine's clock.
    func lagSeconds(now: Double) -> Double? {
        guard let stalled = self.stalled else { return self.lagByID(now: now) }
        // If nothing but the batch is known to be pending, the age of the entry before it is meaningless: the stream
        // was quiet.
        return max(stalled.duration.seconds, stalled.wasCaughtUp ? 0 : self.lagByID(now: now) ?? 0)
    }

    private func lagByID(now: Double) -> Double? {
        if self.isCaughtUp { return 0 }
        // While disconnected, new entries are unknown; entries that were already pending still count.
        if self.state != .reading, (self.lagEntries ?? 0) == 0 { return nil }
        return self.cursor.flatMap { EntryTime.age(of: $0, now: now + (self.clockOffset ?? 0)) }
    }
}

/// The time in an entry's id.
///
/// Redis generates ids from its clock, but producers may choose any id that is greater than the last one: `5-0`, seconds
/// in place of milliseconds, a counter. Such an id says nothing about the entry's age.
enum EntryTime {
    /// The maximum age of an entry in seconds: ten years, longer than a stream is kept. A number that is no time is
    /// usually much further away: `5-0` is 56 years old, and so is a time in seconds.
    private static let maximumAge = 10.0 * 365 * 86_400
    /// How far an id may be ahead of the server's clock, in seconds: after a failover, the new server's clock may be
    /// behind that of the old one.
    private static let maximumAhead = 300.0

    /// Returns the age of an entry in seconds, or `nil` if its id is not a plausible time.
    ///
    /// - Parameter now: The server's time in seconds since the epoch.
    static func age(of id: EntryID, now: Double) -> Double? {
        let age = now - Double(id.milliseconds) / 1000
        return age <= self.maximumAge && age >= -self.maximumAhead ? max(0, age) : nil
    }
}
