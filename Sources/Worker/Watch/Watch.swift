import Admin
import Foundation
import PipelineEngine
import StageKit

/// What a worker remembers for those who watch it, and how the HTTP side shows it.
struct Watch: Sendable {
    /// The last events that something was to be told of.
    let recent = RecentOutcomes()
    /// Where events can be watched.
    let taps = TapHub()
    /// The last revocations, evictions and resets.
    let revocations = RevocationLog()

    /// What the HTTP side shows of a pipeline.
    func context(of pipeline: Pipeline, _ registry: MetricsRegistry) -> AdminContext {
        let loop = LoopWatch()
        let liveness: @Sendable () -> [String] = {
            if pipeline.source.status.state == .stopped { return ["the source has stopped"] }
            return loop.reasons(pipeline.activity)
        }
        let live = LiveDocument(pipeline: pipeline, watch: self, liveness: liveness)
        let losses = OrderedMutex(0)
        var context = AdminContext(
            stores: pipeline.stores, metrics: registry,
            readiness: { Readiness.reasons(pipeline.status, stores: pipeline.stores) },
            liveness: liveness,
            staleness: { Readiness.staleness(of: $0, in: pipeline.stores) },
            pipeline: { PipelineState(pipeline).json.compact })
        context.live = { live.json.compact }
        context.explain = { store, key in
            Explanation(pipeline: pipeline, watch: self, store: store, key: key).json.compact
        }
        context.taps = self.taps
        context.revocations = self.revocations
        context.lateThread = {
            let status = pipeline.source.status
            return Readiness.isBehind(status, now: Date().timeIntervalSince1970) ? status.thread : nil
        }
        context.beat = {
            // Entries lost unread may have been revocations: who follows them has to know.
            let count = pipeline.source.status.gaps.values.reduce(0, +)
            let isNew = losses.withLock { seen in
                defer { seen = count }
                return count > seen
            }
            if isNew { self.revocations.noteLoss() }
        }
        return context
    }
}
