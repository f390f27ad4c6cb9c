import ComponentKit
import Logging
import StageKit

/// Announces and removes the expired snapshots of a store, beside the source.
struct ExpirySweeper: Sendable {
    /// The time between two sweeps: lookups are exact without them, so this only limits how long an expired session can
    /// keep its connections and its memory.
    static let interval = Duration.seconds(1)

    /// The store.
    let store: any ExpiringStore
    /// The handler that is notified before snapshots are removed, or `nil` if there is none.
    let handler: (any RevocationHandler)?
    /// The logger.
    let logger: Logger

    /// Sweeps until the task is cancelled.
    func run() async {
        while (try? await Task.sleep(for: Self.interval)) != nil { await self.sweep() }
    }

    /// Sweeps once. If the snapshots cannot be announced, they stay and are announced by the next sweep; lookups do not
    /// find them.
    func sweep() async {
        do {
            try await self.store.removeExpired { try await self.handler?.expired($0) }
        } catch {
            if Task.isCancelled { return }
            self.logger.error(
                "cannot announce expired snapshots: they are announced again later",
                metadata: ["store": "\(self.store.name)", "error": "\(error)"])
        }
    }
}
