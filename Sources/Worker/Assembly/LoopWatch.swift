import PipelineEngine
import StageKit

/// Notices that a pipeline's read loop stands still, from one question to the next.
final class LoopWatch: Sendable {
    /// How long a loop may stand still: longer than what one stage may rightly take for one batch, such as a webhook with
    /// long time-outs. A service manager's watchdog is for less patience.
    static let limit: Duration = .seconds(600)

    private let seen: OrderedMutex<(pulses: UInt64, since: ContinuousClock.Instant)?> = OrderedMutex(nil)

    /// Why the loop does not count as alive, given how often it has moved so far; empty where it does.
    func reasons(pulses: UInt64, now: ContinuousClock.Instant = .now) -> [String] {
        self.seen.withLock { seen in
            guard let last = seen, last.pulses == pulses else {
                seen = (pulses, now)
                return []
            }
            let still = now - last.since
            guard still > Self.limit else { return [] }
            return ["the read loop has not moved for \(still.components.seconds) s"]
        }
    }
}
