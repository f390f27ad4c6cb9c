import StageKit

/// When a worker is ready: connected, its stores filled, caught up with the stream, no batch stalled, and the stores fresh.
enum Readiness {
    /// Why it is not ready, empty where it is.
    static func reasons(_ status: SourceStatus, stores: [String: any SnapshotStore] = [:]) -> [String] {
        self.reasons(status) + self.stall(status)
            + stores.sorted { $0.key < $1.key }.compactMap { name, _ in
                self.staleness(of: name, in: stores).map { "store \(name): \($0)" }
            }
    }

    /// Why a store must not answer look-ups now; nil where it may.
    static func staleness(of store: String, in stores: [String: any SnapshotStore]) -> String? {
        stores[store]?.freshness?.staleness?.description
    }

    /// Whether a source has more to catch up with than the moment's entries; `now` is in seconds since the epoch.
    static func isBehind(_ status: SourceStatus, now: Double) -> Bool {
        status.state == .reading && (status.isFilling || status.lagSeconds(now: now) >= Advice.passingLag)
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

    /// That a batch is stalled. The text stays the same while it is, as followers of `/v1/revocations` are sent each change.
    private static func stall(_ status: SourceStatus) -> [String] {
        guard let stalled = status.stalled, status.state != .stopped else { return [] }
        let stage = stalled.stage.map { " (stage \"\($0)\")" } ?? ""
        return [
            "\(stalled.entries) entries have been in flight for more than \(SettingUnits.text(StalledBatch.grace))\(stage)"
        ]
    }
}
