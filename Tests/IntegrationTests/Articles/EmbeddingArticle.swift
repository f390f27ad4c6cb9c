import Logging
import PipelineEngine
import ServiceLifecycle
import SnapshotStores
import StageKit
import Worker

/// The program that the page on embedding shows; compiled, not run.
private enum EmbeddingArticle {
    private struct NoStore: Error {}

    static func run() async throws {
        let logger = Logger(label: "gateway")
        // Called on the stream's thread after the store has changed. Hand over the work; do not block.
        let revocations = RevocationCallback { session, entry in
            // Revoked: cut it off.
        } onEviction: { session, entry, reason in
            // Removed from the store, because an entry about it failed: cut it off.
        } onReset: { reset in
            // The store was emptied: look up every open session.
        }
        let pipeline = try Pipeline(
            contentsOf: "pipeline.yaml", environment: ["REDIS_ADDRESS": "127.0.0.1:6379"],
            services: PipelineServices(logger: logger, revocationHandler: revocations))
        guard let sessions = pipeline.stores["sessions"] as? MemoryStore else { throw NoStore() }
        let isActive = sessions.condition("status", equals: "active")

        // From any thread: .yes, .no, .absent, or .stale if the store's freshness is not confirmed.
        func isGood(_ session: String) -> Bool {
            sessions.ask(session, isActive) == .yes
        }

        try await ServiceGroup(services: [pipeline], logger: logger).run()
    }
}
