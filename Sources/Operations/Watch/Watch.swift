package import Admin
import ComponentKit
import Documentation
import Foundation
package import PipelineEngine
import StageKit

/// The worker's data for taps, the dashboard and `sluice explain`, and its connection to the HTTP interface.
package struct Watch: Sendable {
    /// The latest failed and skipped events.
    package let recent = RecentOutcomes()
    /// The hub for event taps.
    package let taps = TapHub()
    /// The latest revocations, evictions and resets.
    package let revocations = RevocationLog()

    /// Creates the data of a worker that has not run yet.
    package init() {}

    /// Returns the context of the HTTP interface for a pipeline.
    package func context(of pipeline: Pipeline, _ registry: MetricsRegistry) -> AdminContext {
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
        context.fieldTypes = { pipeline.graph.fieldTypes }
        context.taps = self.taps
        context.revocations = self.revocations
        context.lateThread = {
            let status = pipeline.source.status
            return Readiness.isBehind(status, now: Date().timeIntervalSince1970) ? status.thread : nil
        }
        context.beat = {
            // Entries that were lost before they were read may include revocations, so the clients of the feed must be
            // notified.
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
