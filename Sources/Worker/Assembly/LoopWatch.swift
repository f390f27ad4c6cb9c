import PipelineEngine
import StageKit

/// Detects that a pipeline's run hangs, from one question to the next.
final class LoopWatch: Sendable {
    /// How long a run may be silent beyond the waits that it has declared: what a stage type that reports nothing may take for
    /// one batch. The watchdog of the service manager is for less patience.
    static let limit: Duration = .seconds(600)

    private let watch = OrderedMutex(SilenceWatch())

    /// Returns why the run does not count as alive, an empty list if it does.
    func reasons(_ activity: PipelineActivity, now: ContinuousClock.Instant = .now) -> [String] {
        let silence = self.watch.withLock { $0.silence(activity, now: now) }
        guard silence > Self.limit else { return [] }
        return ["the read loop has made no progress for \(silence.components.seconds) s"]
    }
}
