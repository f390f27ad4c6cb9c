package import Admin
import ComponentKit
import Foundation
package import PipelineEngine
import RedisClient
import RedisStreams
import StageKit

/// Reads a pipeline's counters for `/metrics` on demand.
package struct PipelineCollector: Sendable {
    /// The pipeline.
    package let pipeline: Pipeline

    /// Creates a collector.
    package init(pipeline: Pipeline) {
        self.pipeline = pipeline
    }

    /// All samples as of the last complete batch.
    package func samples() -> [MetricSample] {
        let statistics = self.pipeline.statistics
        return self.events(statistics) + self.stages(statistics) + self.source() + self.stores() + self.reloads()
    }

    private func events(_ statistics: PipelineStatistics) -> [MetricSample] {
        let read = MetricSample(
            "sluice_events_read_total", .counter, help: "Entries read from the source.",
            value: Double(statistics.read))
        return [read]
            + statistics.outcomes.map { count in
                MetricSample(
                    "sluice_events_total", .counter, help: "Events by their one outcome and its reason.",
                    labels: [("outcome", count.outcome.name), ("reason", count.reason)], value: Double(count.count))
            }
    }

    private func stages(_ statistics: PipelineStatistics) -> [MetricSample] {
        statistics.stages.flatMap { stage in
            let results = [
                ("passed", stage.passed), ("finished", stage.finished), ("failed", stage.failed),
                ("skipped", stage.skipped),
            ]
            let retries = MetricSample(
                "sluice_stage_retries_total", .counter, help: "Retries of each stage.",
                labels: [("stage", stage.name)], value: Double(stage.retried))
            let added = MetricSample(
                "sluice_stage_events_added_total", .counter,
                help: "Events that each stage has added, such as the totals of windows.",
                labels: [("stage", stage.name)], value: Double(stage.emitted))
            return results.map { result, count in
                MetricSample(
                    "sluice_stage_events_total", .counter, help: "Events by the result of each stage.",
                    labels: [("stage", stage.name), ("result", result)], value: Double(count))
            } + [retries, added]
        }
    }

    private func reloads() -> [MetricSample] {
        let reloads = self.pipeline.reloads
        let results = [
            ("applied", reloads.applied), ("unchanged", reloads.unchanged), ("refused", reloads.refused),
        ]
        return results.map { result, count in
            MetricSample(
                "sluice_reloads_total", .counter, help: "Reloads of the pipeline file by result.",
                labels: [("result", result)], value: Double(count))
        } + [
            MetricSample(
                "sluice_config_generation", .gauge, help: "Version of the pipeline file in use; the first is 1.",
                value: Double(reloads.generation)),
            MetricSample(
                "sluice_config_last_reload_error", .gauge, help: "1 if the last reload was refused.",
                value: reloads.lastError == nil ? 0 : 1),
        ]
    }

    private func source() -> [MetricSample] {
        let status = self.pipeline.status
        return [
            MetricSample(
                "sluice_source_connected", .gauge, help: "1 while the source reads.",
                value: status.state == .reading ? 1 : 0),
            MetricSample(
                "sluice_source_reconnects_total", .counter, help: "Reconnects after a lost connection.",
                value: Double(status.reconnects)),
            MetricSample(
                "sluice_source_detects_gaps", .gauge,
                help: "0 if the server refuses the queries that detect lost entries, otherwise 1.",
                value: status.detectsGaps ? 1 : 0),
        ] + self.gaps(status) + self.credentialFailures() + self.group(status)
            + (status.lagSeconds(now: Date().timeIntervalSince1970).map { seconds in
                [
                    MetricSample(
                        "sluice_source_lag_seconds", .gauge,
                        help: "Age of the last entry handled while more are waiting, by its id, or of a stalled "
                            + "batch if that is older; 0 when caught up; absent if unknown.",
                        value: seconds)
                ]
            } ?? [])
            + (status.lagEntries.map { lag in
                [
                    MetricSample(
                        "sluice_source_lag_entries", .gauge,
                        help: "Entries after the cursor at the last check, including a stalled batch.",
                        value: Double(lag))
                ]
            } ?? [])
    }

    /// Every kind of gap is present from the beginning: if a counter first appeared with its first gap, the increase
    /// would not be visible.
    private func gaps(_ status: SourceStatus) -> [MetricSample] {
        let none = Dictionary(uniqueKeysWithValues: GapKind.allCases.map { ($0.rawValue, 0) })
        return none.merging(status.gaps) { _, found in found }.sorted { $0.key < $1.key }.map { kind, count in
            MetricSample(
                "sluice_source_gaps_total", .counter, help: "Gaps: losses of entries before they were read, by kind.",
                labels: [("kind", kind)], value: Double(count))
        }
    }

    /// Every reason is present from the beginning, like every kind of gap.
    private func credentialFailures() -> [MetricSample] {
        let none = Dictionary(uniqueKeysWithValues: CredentialFailure.Reason.allCases.map { ($0.rawValue, 0) })
        let failures = none.merging(self.pipeline.connections.failures) { _, found in found }
        return failures.sorted { $0.key < $1.key }.map { reason, count in
            MetricSample(
                "sluice_credential_failures_total", .counter,
                help: "Attempts to connect that failed because of a password, a certificate or their files.",
                labels: [("reason", reason)], value: Double(count))
        }
    }

    private func group(_ status: SourceStatus) -> [MetricSample] {
        guard let group = status.group else { return [] }
        let labels = [("group", group.name), ("consumer", group.consumer)]
        func counter(_ name: String, _ help: String, _ value: Int) -> MetricSample {
            MetricSample(name, .counter, help: help, labels: labels, value: Double(value))
        }
        return [
            MetricSample(
                "sluice_group_pending_entries", .gauge,
                help: "Pending entries of all workers of the group at the last check.", labels: labels,
                value: Double(group.pending)),
            counter("sluice_group_claimed_total", "Entries claimed from other workers.", group.claimed),
            counter(
                "sluice_group_redelivered_total", "Entries that had been delivered before, including claimed ones.",
                group.redelivered),
            counter(
                "sluice_group_deleted_total", "Entries removed from the stream before they had an outcome.",
                group.deleted),
            counter("sluice_group_refused_total", "Entries that were delivered too often.", group.refused),
            counter(
                "sluice_group_consumers_removed_total", "Idle consumers that this worker removed from the group.",
                group.consumersRemoved),
        ]
    }

    private func stores() -> [MetricSample] {
        self.pipeline.stores.sorted { $0.key < $1.key }.flatMap { name, store in
            let entries = MetricSample(
                "sluice_store_entries", .gauge, help: "Snapshots in the store.", labels: [("store", name)],
                value: Double(store.count))
            let expired = store.expiring.map { store in
                MetricSample(
                    "sluice_store_expired_total", .counter, help: "Snapshots removed because they had expired.",
                    labels: [("store", name)], value: Double(store.expiredCount))
            }
            // The number of snapshots on a server is unknown here.
            return (store.remote == nil ? [entries] : []) + [expired].compactMap(\.self) + self.freshness(name, store)
        }
    }

    private func freshness(_ name: String, _ store: any SnapshotStore) -> [MetricSample] {
        guard let freshness = store.freshness else { return [] }
        let stale = MetricSample(
            "sluice_store_stale", .gauge,
            help: "1 while lookups are refused: freshness not confirmed, or being filled.",
            labels: [("store", name)], value: freshness.isStale ? 1 : 0)
        guard let age = freshness.age else { return [stale] }
        return [
            stale,
            MetricSample(
                "sluice_store_age_seconds", .gauge,
                help: "Time since the store was last known to hold all of the stream.", labels: [("store", name)],
                value: age.seconds),
        ]
    }
}
