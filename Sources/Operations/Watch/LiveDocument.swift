import Admin
import ComponentKit
import Documentation
import Foundation
import PipelineEngine
import StageKit

/// The data of the dashboard and `sluice top`, updated once per second: `/v1/pipeline` and further members.
///
/// The further members are `now_ms`, `uptime_s`, `ready`, `reasons`, `alive`, `advice`, `lag` (`entries`, `seconds`, each
/// only if known),
/// `freshness` (a list: `store`, `entries`, `stale`, `age_s`, `why`), `drops` (the last failed events), `revocations`
/// (`total`, and `recent` with evictions and resets) and `pictures`.
final class LiveDocument: Sendable {
    /// Maximum number of failed events shown.
    private static let drops = 30
    /// Maximum number of revocations, evictions and resets shown.
    private static let revocations = 30

    private let pipeline: Pipeline
    private let watch: Watch
    private let liveness: @Sendable () -> [String]
    private let started = ContinuousClock.now
    private let pictures = OrderedMutex<(generation: Int, json: JSONValue)?>(nil)

    /// Creates the document of a running pipeline; callable from any thread.
    init(pipeline: Pipeline, watch: Watch, liveness: @escaping @Sendable () -> [String]) {
        self.pipeline = pipeline
        self.watch = watch
        self.liveness = liveness
    }

    /// The current document.
    var json: JSONValue {
        let status = self.pipeline.status
        let now = Date().timeIntervalSince1970
        let reasons = Readiness.reasons(status, stores: self.pipeline.stores)
        let hidesKeys = self.pipeline.hidesRevokedKeys
        return PipelineState(self.pipeline).json.adding(
            .members([
                "now_ms": .integer(Int(now * 1000)),
                "uptime_s": .integer(Int((ContinuousClock.now - self.started).seconds)),
                "ready": .boolean(reasons.isEmpty), "reasons": .strings(reasons),
                "alive": .boolean(self.liveness().isEmpty),
                "advice": .array(
                    Advice.all(status, stores: self.pipeline.stores, reloads: self.pipeline.reloads, now: now)
                        .map(\.json)),
                "lag": .members([
                    "entries": status.lagEntries.map { .integer(Int(clamping: $0)) },
                    "seconds": status.lagSeconds(now: now).map { .written(Self.decimal($0)) },
                ]),
                "gaps": .object(
                    status.gaps.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .integer($0.value)) }),
                "freshness": .array(
                    self.pipeline.stores.sorted { $0.key < $1.key }.map { Self.freshness($0.key, $0.value) }),
                "drops": .array(self.watch.recent.failures(Self.drops).map { .written($0.json) }),
                "revocations": .members([
                    "total": .integer(Int(clamping: self.watch.revocations.total)),
                    "recent": .array(
                        self.watch.revocations.newest(Self.revocations).map {
                            Explanation.revocation($0, isSecret: hidesKeys)
                        }),
                ]),
                "pictures": self.currentPictures,
            ]))
    }

    /// The pictures; laid out again only if the file has changed.
    private var currentPictures: JSONValue {
        let generation = self.pipeline.reloads.generation
        return self.pictures.withLock { pictures in
            if let pictures, pictures.generation == generation { return pictures.json }
            let json = GraphPictures.members(self.pipeline.graph)
            pictures = (generation, json)
            return json
        }
    }

    private static func freshness(_ name: String, _ store: any SnapshotStore) -> JSONValue {
        .members([
            "store": .string(name), "entries": .integer(store.count),
            "stale": .boolean(store.freshness?.isStale ?? false),
            "age_s": store.freshness?.age.map { .written(self.decimal($0.seconds)) },
            "why": store.freshness?.staleness.map { .string($0.description) },
        ])
    }

    /// Formats a number with three decimals: `String(Double)` may write an exponent, which is valid JSON but hard to
    /// read.
    static func decimal(_ value: Double) -> String {
        let thousandths = Int((max(0, value) * 1000).rounded())
        let rest = String(thousandths % 1000)
        return "\(thousandths / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
    }
}
