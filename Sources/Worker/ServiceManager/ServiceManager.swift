import Glibc
import Logging
import PipelineEngine
import ServiceLifecycle
import StageKit
import Synchronization

/// Tells systemd, or whatever else has set NOTIFY_SOCKET, how the worker is: one for a worker, callable from any thread.
final class ServiceManager: Sendable {
    /// How often the worker is looked at: a start is noticed soon, and a watchdog of a few seconds is fed in time.
    static let interval: Duration = .milliseconds(500)

    private let socket: NotifySocket
    private let logger: Logger
    private let serving = Atomic<Bool>(false)
    private let failed = Atomic<Bool>(false)

    /// The manager of this process; nil where it has none, or where it cannot be told, which is logged.
    init?(environment: [String: String], logger: Logger) {
        guard let name = environment["NOTIFY_SOCKET"], !name.isEmpty else { return nil }
        do throws(NotifySocket.Failure) {
            self.socket = try NotifySocket(name)
        } catch {
            logger.withoutRateLimit.warning("cannot notify the service manager", metadata: ["error": "\(error)"])
            return nil
        }
        self.logger = logger
    }

    /// Notes that the worker answers over HTTP.
    func isServing() {
        self.serving.store(true, ordering: .releasing)
    }

    /// Tells that the file is being read again while `body` runs.
    func reloading(_ body: () -> Void) {
        self.send(ServiceNotices.reloading(at: Self.monotonicTime()))
        body()
        self.send(ServiceNotices.reloaded)
    }

    /// Tells how a pipeline is until a graceful shutdown begins, and then that it stops.
    func watch(_ pipeline: Pipeline) async {
        var notices = ServiceNotices()
        var silence = SilenceWatch()
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let look = ServiceNotices.Look(
                isServing: self.serving.load(ordering: .acquiring),
                reasons: Readiness.reasons(pipeline.status, stores: pipeline.stores),
                silence: silence.silence(pipeline.activity, now: .now))
            self.send(notices.next(look))
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
        }
        self.send(ServiceNotices.stopping)
    }

    private func send(_ lines: [String]) {
        guard !lines.isEmpty, !self.socket.send(lines) else { return }
        guard !self.failed.exchange(true, ordering: .relaxed) else { return }
        self.logger.withoutRateLimit.warning(
            "the service manager does not accept messages", metadata: ["error": "error \(errno)"])
    }

    /// The clock that systemd compares reloads by.
    private static func monotonicTime() -> Duration {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

/// Watches a pipeline for the service manager as a service, which stops first.
struct ServiceManagerWatch: Service {
    /// Who is told.
    let manager: ServiceManager
    /// What is watched.
    let pipeline: Pipeline

    /// Runs until a graceful shutdown begins.
    func run() async throws {
        await self.manager.watch(self.pipeline)
    }
}
