import Logging
import ServiceLifecycle
import Synchronization

/// Runs a service so that a cancellation ends it like a graceful shutdown; a cancellation after a shutdown that took
/// too long cancels it.
///
/// Without this, a cancellation ends the HTTP library's clock, and the library then shuts down in a task that nobody
/// awaits; that task found its event loop gone.
struct GracefulCancellation: Service {
    private let base: any Service
    private let logger: Logger
    private let onEnd: @Sendable () -> Void

    /// Creates a service that runs `base`; `onEnd` is called on any thread when it should end, possibly twice.
    init(_ base: any Service, logger: Logger, onEnd: @escaping @Sendable () -> Void) {
        self.base = base
        self.logger = logger
        self.onEnd = onEnd
    }

    /// Runs until the service has ended; rethrows its error.
    func run() async throws {
        let group = ServiceGroup(configuration: .init(services: [.init(service: self.base)], logger: self.logger))
        let isEnding = Atomic<Bool>(false)
        // Unstructured, because a child would be cancelled with its parent; it is awaited, so it does not outlive this
        // call.
        let running = Task { try await group.run() }
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                try await running.value
            } onCancel: {
                self.onEnd()
                if isEnding.load(ordering: .acquiring) { return running.cancel() }
                // Unstructured, because a cancellation cannot wait; it ends as soon as the group has been notified.
                Task { await group.triggerGracefulShutdown() }
            }
        } onGracefulShutdown: {
            isEnding.store(true, ordering: .releasing)
            self.onEnd()
        }
    }
}
