import Admin
package import Logging
import ServiceLifecycle
import StageKit
import Synchronization

/// Keeps repeated warnings and errors from flooding the log, and reports how many were held back.
///
/// All loggers of a worker share one gate. Only lines of the levels warning and error are counted: more severe lines are
/// always written, and less severe ones were asked for with `--log-level` or a `log` stage. Answers to an operator bypass
/// the gate: see ``Logging/Logger/withoutRateLimit``.
package final class LogGate: Sendable {
    /// The time since some moment; only goes forward.
    private let now: @Sendable () -> Duration
    private let handler: any LogHandler
    private let limiter: OrderedMutex<LogLimiter>
    private let total = Atomic<UInt64>(0)

    /// Makes a gate that lets `repeats` lines of a kind pass in each span, and tells through `handler` what it held back.
    package init(repeats: Int, handler: any LogHandler, now: (@Sendable () -> Duration)? = nil) {
        let start = ContinuousClock.now
        self.now = now ?? { ContinuousClock.now - start }
        self.handler = handler
        self.limiter = OrderedMutex(LogLimiter(repeats: repeats))
    }

    /// A logger that writes to standard error, and the gate that all it writes goes through.
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

    /// How many lines were held back so far.
    package var heldBack: UInt64 { self.total.load(ordering: .relaxed) }

    /// The number of them for `/metrics`.
    func samples() -> [MetricSample] {
        [
            MetricSample(
                "sluice_log_lines_held_back_total", .counter,
                help: "Repeated warnings and errors that were counted instead of written.", value: Double(self.heldBack)
            )
        ]
    }

    /// Whether an event is to be written; what was held back before is told first.
    func admits(_ event: LogEvent) -> Bool {
        guard event.level == .warning || event.level == .error else { return true }
        let reason = event.metadata?["reason"].map { "\($0)" }
        let kind = LogKind(level: event.level, message: event.message.description, reason: reason)
        let now = self.now()
        let (ended, isAdmitted) = self.limiter.withLock { ($0.ended(at: now), $0.admits(kind, at: now)) }
        for heldBack in ended { self.tell(heldBack) }
        if !isAdmitted { self.total.add(1, ordering: .relaxed) }
        return isAdmitted
    }

    /// Tells what was held back in spans that are over.
    package func tell() {
        let now = self.now()
        for heldBack in self.limiter.withLock({ $0.ended(at: now) }) { self.tell(heldBack) }
    }

    /// Tells all that was held back: nothing is logged after this.
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
                level: heldBack.kind.level, message: "more lines of this kind were held back", metadata: metadata,
                source: nil, file: #fileID, function: #function, line: #line))
    }
}

/// Tells what the log held back also where nothing more is logged.
struct HeldBackReports: Service {
    /// What holds lines back.
    let gate: LogGate

    /// Tells at the end of each span, until a graceful shutdown begins.
    func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: LogLimiter.span) }
            self.gate.tell()
        }
    }
}

/// Passes the lines that a gate admits to another handler.
package struct LimitedLogHandler: RateLimitingLogHandler {
    private var inner: any LogHandler
    private let gate: LogGate

    /// Makes a handler.
    package init(_ inner: any LogHandler, gate: LogGate) {
        self.inner = inner
        self.gate = gate
    }

    /// The handler behind the gate.
    package var withoutRateLimit: any LogHandler { self.inner }

    /// What is written with every event.
    package var metadata: Logger.Metadata {
        get { self.inner.metadata }
        set { self.inner.metadata = newValue }
    }

    /// Gives metadata of the moment.
    package var metadataProvider: Logger.MetadataProvider? {
        get { self.inner.metadataProvider }
        set { self.inner.metadataProvider = newValue }
    }

    /// The least severe level that is written.
    package var logLevel: Logger.Level {
        get { self.inner.logLevel }
        set { self.inner.logLevel = newValue }
    }

    /// One entry of the metadata.
    package subscript(metadataKey name: String) -> Logger.Metadata.Value? {
        get { self.inner[metadataKey: name] }
        set { self.inner[metadataKey: name] = newValue }
    }

    /// Writes an event, unless there were too many like it.
    package func log(event: LogEvent) {
        if self.gate.admits(event) { self.inner.log(event: event) }
    }
}
