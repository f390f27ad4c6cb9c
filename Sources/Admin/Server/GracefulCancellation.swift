import Logging
import ServiceLifecycle
import Synchronization

/// Runs a service so that a cancellation ends it as a graceful shutdown does; one that comes behind a shutdown, as it took
/// too long, cancels it.
///
/// The HTTP library takes the end of its clock, which a cancellation brings about, for a reason to shut down, in a task
/// that nobody waits for: it came upon an event loop that had gone meanwhile.
struct GracefulCancellation: Service {
    private let base: any Service
    private let logger: Logger
    private let onEnd: @Sendable () -> Void

    /// Makes a service that does what `base` does; `onEnd` is called on any thread when it is to end, perhaps twice.
    init(_ base: any Service, logger: Logger, onEnd: @escaping @Sendable () -> Void) {
        self.base = base
        self.logger = logger
        self.onEnd = onEnd
    }

    /// Runs until the service has ended; throws what it throws.
    func run() async throws {
        let group = ServiceGroup(configuration: .init(services: [.init(service: self.base)], logger: self.logger))
        let isEnding = Atomic<Bool>(false)
        // Unstructured, as a child is cancelled with its parent; it is waited for, so it does not outlive this call.
        let running = Task { try await group.run() }
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                try await running.value
            } onCancel: {
                self.onEnd()
                if isEnding.load(ordering: .acquiring) { return running.cancel() }
                // Unstructured, as a cancellation cannot wait; it ends once the group has been told.
                Task { await group.triggerGracefulShutdown() }
            }
        } onGracefulShutdown: {
            isEnding.store(true, ordering: .releasing)
            self.onEnd()
        }
    }
}
