import RESP
import RedisClient
import StageKit

/// Determines the id after which the first read begins.
struct StartResolution: Sendable {
    /// The configured start.
    let start: StreamStart

    /// Returns the id, based on the reply to `StreamQuestions.ids` or TIME, or on `nil` if no query is needed.
    ///
    /// The tail is the id of the last entry and never `$`, so that entries added between this reply and the first read
    /// are read.
    func cursor(_ answer: RESPValue?) throws(RedisError) -> EntryID {
        switch self.start {
        case .beginning: return .zero
        case .after(let id): return id
        case .tail, .resume:
            guard let entries = answer?.array else { throw self.malformed("XREVRANGE") }
            guard let last = entries.first else { return .zero }
            guard let id = last.array?.first?.string.flatMap({ EntryID($0) }) else {
                throw self.malformed("XREVRANGE")
            }
            return id
        case .back(let duration):
            guard let parts = answer?.array, parts.count == 2, let seconds = parts[0].integer,
                let microseconds = parts[1].integer, seconds >= 0, (0..<1_000_000).contains(microseconds),
                seconds < Int64.max / 1000 - 1
            else { throw self.malformed("TIME") }
            return StreamStart.cursor(
                back: duration, serverMilliseconds: UInt64(seconds) * 1000 + UInt64(microseconds) / 1000)
        }
    }

    private func malformed(_ command: String) -> RedisError {
        .unexpectedAnswer(to: command, "expected an id or a time")
    }
}
