import ComponentKit
import Glibc
package import Logging
package import PipelineEngine
import ServiceLifecycle
import Synchronization

/// Notifies systemd, or another program that has set NOTIFY_SOCKET, of the worker's state. One per worker, callable
/// from any thread.
package final class ServiceManager: Sendable {
    /// The interval between two checks of the worker: short enough to notice the start soon, and to serve a watchdog of
    /// a few seconds.
    static let interval: Duration = .milliseconds(500)

    private let socket: NotifySocket
    private let logger: Logger
    private let serving = Atomic<Bool>(false)
    private let failed = Atomic<Bool>(false)
    /// Whether the manager has not accepted the message that a reload has ended.
    private let isReloadOpen = Atomic<Bool>(false)

    /// Creates the manager of this process; `nil` if there is none, or if it cannot be notified, which is logged.
    package init?(environment: [String: String], logger: Logger) {
        guard let name = environment["NOTIFY_SOCKET"], !name.isEmpty else { return nil }
        do throws(NotifySocket.Failure) {
            self.socket = try NotifySocket(name)
        } catch {
            logger.withoutRateLimit.warning("cannot notify the service manager", metadata: ["error": "\(error)"])
            return nil
        }
        self.logger = logger
    }

    /// Records that the worker answers over HTTP.
    package func isServing() {
        self.serving.store(true, ordering: .releasing)
    }

    /// Notifies the manager of a reload while `body` runs.
    package func reloading(_ body: () -> Void) {
        // READY would end the start of a worker that does not answer yet.
        guard self.serving.load(ordering: .acquiring) else { return body() }
        _ = self.send(ServiceNotices.reloading(at: Self.monotonicTime()), waits: true)
        body()
        let isSent = self.send(ServiceNotices.reloaded, waits: true)
        self.isReloadOpen.store(!isSent, ordering: .releasing)
    }

    /// Notifies the manager of a pipeline's state until a graceful shutdown begins, and then of the shutdown.
    package func watch(_ pipeline: Pipeline) async {
        var notices = ServiceNotices()
        var silence = SilenceWatch()
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let state = ServiceNotices.WorkerState(
                isServing: self.serving.load(ordering: .acquiring),
                reasons: Readiness.reasons(pipeline.status, stores: pipeline.stores),
                silence: silence.silence(pipeline.activity, now: .now),
                isReloadOpen: self.isReloadOpen.load(ordering: .acquiring))
            notices.next(state) { lines in
                let isSent = self.send(lines, waits: false)
                if isSent, state.isReloadOpen { self.isReloadOpen.store(false, ordering: .releasing) }
                return isSent
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
        }
        _ = self.send(ServiceNotices.stopping, waits: true)
    }

    /// Sends a message and returns whether the manager has accepted it; one without lines is not sent.
    private func send(_ lines: [String], waits: Bool) -> Bool {
        guard !lines.isEmpty, !self.socket.send(lines, waits: waits) else { return true }
        let error = errno
        if !self.failed.exchange(true, ordering: .relaxed) {
            self.logger.withoutRateLimit.warning(
                "the service manager does not accept messages", metadata: ["error": "error \(error)"])
        }
        return false
    }

    /// Returns the time of the clock that systemd uses to order reloads.
    private static func monotonicTime() -> Duration {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

/// A service that reports a pipeline's state to the service manager, and is the first to stop.
package struct ServiceManagerWatch: Service {
    /// The service manager.
    package let manager: ServiceManager
    /// The monitored pipeline.
    package let pipeline: Pipeline

    /// Creates the service.
    package init(manager: ServiceManager, pipeline: Pipeline) {
        self.manager = manager
        self.pipeline = pipeline
    }

    /// Runs until a graceful shutdown begins.
    package func run() async throws {
        await self.manager.watch(self.pipeline)
    }
}
