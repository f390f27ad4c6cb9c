import ComponentKit
import StageKit

/// When a worker is ready: connected, its stores filled, caught up with the stream, no stalled batch, and all stores
/// fresh.
enum Readiness {
    /// Returns the reasons why the worker is not ready, or an empty list if it is.
    static func reasons(_ status: SourceStatus, stores: [String: any SnapshotStore] = [:]) -> [String] {
        self.reasons(status) + self.stall(status)
            + stores.sorted { $0.key < $1.key }.compactMap { name, _ in
                self.staleness(of: name, in: stores).map { "store \(name): \($0)" }
            }
    }

    /// Returns the reason why a store must refuse lookups now, or `nil` if it may answer.
    static func staleness(of store: String, in stores: [String: any SnapshotStore]) -> String? {
        stores[store]?.freshness?.staleness?.description
    }

    /// Whether a source is behind by more than the entries of the moment, or by an unknown time; `now` is in seconds
    /// since the epoch.
    static func isBehind(_ status: SourceStatus, now: Double) -> Bool {
        status.state == .reading && (status.isFilling || Advice.isNotable(status.lagSeconds(now: now)))
    }

    private static func reasons(_ status: SourceStatus) -> [String] {
        switch status.state {
        case .idle: return ["the source has not started"]
        case .connecting: return ["not connected to the source" + (status.lastError.map { ": \($0)" } ?? "")]
        case .stopped: return ["the source has stopped"]
        case .reading:
            if status.isFilling { return ["filling the stores"] }
            let isBehind = status.stalled.map { !$0.wasCaughtUp } ?? !status.isCaughtUp
            return isBehind ? ["catching up with the stream"] : []
        }
    }

    /// Returns a reason if a batch is stalled. Its text does not change during the stall, because every change is sent
    /// to the clients of `/v1/revocations`.
    private static func stall(_ status: SourceStatus) -> [String] {
        guard let stalled = status.stalled, status.state != .stopped else { return [] }
        let stage = stalled.stage.map { " (stage \"\($0)\")" } ?? ""
        return [
            "\(stalled.entries) entries have been in flight for more than \(SettingUnits.text(StalledBatch.grace))\(stage)"
        ]
    }
}
