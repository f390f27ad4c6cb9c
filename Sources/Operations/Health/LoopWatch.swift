import PipelineEngine
import StageKit

/// Detects that a pipeline's run is stuck, by comparing its activity between two calls.
final class LoopWatch: Sendable {
    /// The maximum time without progress beyond declared waits: the time that a stage type without progress reports may
    /// need for one batch. For a shorter limit, use the service manager's watchdog.
    static let limit: Duration = .seconds(600)

    private let watch = OrderedMutex(SilenceWatch())

    /// Returns the reasons why the run does not count as alive, or an empty list if it does.
    func reasons(_ activity: PipelineActivity, now: ContinuousClock.Instant = .now) -> [String] {
        let silence = self.watch.withLock { $0.silence(activity, now: now) }
        guard silence > Self.limit else { return [] }
        return ["the read loop has made no progress for \(silence.components.seconds) s"]
    }
}
