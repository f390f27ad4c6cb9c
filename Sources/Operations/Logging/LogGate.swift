package import Admin
import ComponentKit
package import Logging
import ServiceLifecycle
import StageKit
import Synchronization

/// Keeps repeated warnings and errors from flooding the log, and reports how many were held back.
///
/// All loggers of a worker share one gate. Only lines of the levels warning and error are counted: more severe lines
/// are always written, and less severe ones were requested with `--log-level` or a `log` stage. Replies to an operator
/// bypass the gate: see ``StageKit/OperatorLog``.
package final class LogGate: Sendable {
    /// The monotonic time since an arbitrary moment.
    private let now: @Sendable () -> Duration
    private let handler: any LogHandler
    private let limiter: OrderedMutex<LogLimiter>
    private let total = Atomic<UInt64>(0)

    /// The sources of lines that are never held back: responses to an operator, and the start and the end of services.
    private static let answers: Set<String> = [OperatorLog.source, "ServiceLifecycle"]

    /// Creates a gate that admits `repeats` lines of a kind per span, and reports held-back lines through `handler`.
    package init(repeats: Int, handler: any LogHandler, now: (@Sendable () -> Duration)? = nil) {
        let start = ContinuousClock.now
        self.now = now ?? { ContinuousClock.now - start }
        self.handler = handler
        self.limiter = OrderedMutex(LogLimiter(repeats: repeats))
    }

    /// Creates a logger that writes to standard error, and the gate for all of its lines.
    package static func logger(
        label: String, _ format: LogFormat, level: Logger.Level, repeats: Int = LogLimiter.standardRepeats
    ) -> (Logger, LogGate) {
        let output = LogOutput.standardError()
        let gate = LogGate(repeats: repeats, handler: format.handler(label: label, level: level, output: output))
        let logger = Logger(label: label) { label in
            LimitedLogHandler(format.handler(label: label, level: level, output: output), gate: gate)
        }
        return (logger, gate)
    }

    /// The number of lines held back so far.
    package var heldBack: UInt64 { self.total.load(ordering: .relaxed) }

    /// The number of held-back lines for `/metrics`.
    package func samples() -> [MetricSample] {
        [
            MetricSample(
                "sluice_log_lines_held_back_total", .counter,
                help: "Repeated warnings and errors that were counted instead of written.", value: Double(self.heldBack)
            )
        ]
    }

    /// Whether an event is written now; lines held back in spans that are over are reported first.
    func admits(_ event: LogEvent) -> Bool {
        guard event.level == .warning || event.level == .error, !Self.answers.contains(event.source) else {
            return true
        }
        let reason = event.metadata?["reason"].map { "\($0)" }
        let kind = LogKind(level: event.level, message: event.message.description, reason: reason)
        let now = self.now()
        let (ended, isAdmitted) = self.limiter.withLock { ($0.ended(at: now), $0.admits(kind, at: now)) }
        for heldBack in ended { self.tell(heldBack) }
        if !isAdmitted { self.total.add(1, ordering: .relaxed) }
        return isAdmitted
    }

    /// Reports the lines held back in spans that are over.
    package func tell() {
        let now = self.now()
        for heldBack in self.limiter.withLock({ $0.ended(at: now) }) { self.tell(heldBack) }
    }

    /// Reports all lines held back; nothing is logged after this.
    package func close() {
        for heldBack in self.limiter.withLock({ $0.endAll() }) { self.tell(heldBack) }
    }

    private func tell(_ heldBack: LogLimiter.HeldBack) {
        var metadata: Logger.Metadata = [
            "held_back": .stringConvertible(heldBack.count), "of": "\(heldBack.kind.message)",
        ]
        metadata["reason"] = heldBack.kind.reason.map { .string($0) }
        self.handler.log(
            event: LogEvent(
                level: heldBack.kind.level, message: "more lines of this kind were suppressed", metadata: metadata,
                source: nil, file: #fileID, function: #function, line: #line))
    }
}

/// Reports held-back lines even if nothing more is logged.
package struct HeldBackReports: Service {
    /// The gate to report from.
    package let gate: LogGate

    /// Creates a service that reports from a gate.
    package init(gate: LogGate) {
        self.gate = gate
    }

    /// Reports at the end of each span, until a graceful shutdown begins.
    package func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: LogLimiter.span) }
            self.gate.tell()
        }
    }
}

/// Passes the lines that a gate admits to another handler.
package struct LimitedLogHandler: LogHandler {
    private var inner: any LogHandler
    private let gate: LogGate

    /// Creates a handler.
    package init(_ inner: any LogHandler, gate: LogGate) {
        self.inner = inner
        self.gate = gate
    }

    /// Metadata of every event.
    package var metadata: Logger.Metadata {
        get { self.inner.metadata }
        set { self.inner.metadata = newValue }
    }

    /// Provides additional metadata for each event.
    package var metadataProvider: Logger.MetadataProvider? {
        get { self.inner.metadataProvider }
        set { self.inner.metadataProvider = newValue }
    }

    /// The minimum log level.
    package var logLevel: Logger.Level {
        get { self.inner.logLevel }
        set { self.inner.logLevel = newValue }
    }

    /// One entry of the metadata.
    package subscript(metadataKey name: String) -> Logger.Metadata.Value? {
        get { self.inner[metadataKey: name] }
        set { self.inner[metadataKey: name] = newValue }
    }

    /// Writes an event, unless the gate holds it back.
    package func log(event: LogEvent) {
        if self.gate.admits(event) { self.inner.log(event: event) }
    }
}
