import ComponentKit
import Logging
import Operations
import PipelineEngine
import ServiceLifecycle
import UnixSignals

/// Reloads a pipeline's file on each SIGHUP.
///
/// The result is logged; if the file is refused, every reason is a line of its own, with the text that `validate`
/// prints. Each reload is logged, however many there are. Signals that arrive during a reload count as one, and the
/// file is read after the last of them.
struct ReloadService: Service {
    /// The pipeline.
    let pipeline: Pipeline
    /// Its file.
    let path: String
    /// The logger for the results.
    private let logger: OperatorLog
    /// The journal and the trace file, which are reopened too, or `nil`.
    private let rotation: FileRotation?
    /// Called for each signal, whatever becomes of the file.
    private let onSignal: @Sendable () -> Void
    /// Runs the given reload, and notifies the service manager before and after.
    private let around: @Sendable (() -> Void) -> Void

    /// Creates the service.
    init(
        pipeline: Pipeline, path: String, logger: Logger, rotation: FileRotation? = nil,
        onSignal: @escaping @Sendable () -> Void = {},
        around: @escaping @Sendable (() -> Void) -> Void = { $0() }
    ) {
        self.pipeline = pipeline
        self.path = path
        self.logger = logger.withoutRateLimit
        self.rotation = rotation
        self.onSignal = onSignal
        self.around = around
    }

    /// Waits for signals until a graceful shutdown begins.
    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            // First, and independent of the reload's result: log rotation has renamed the files.
            self.rotation?.request()
            self.around { self.reload() }
            // Last, so that what clients read again is read after the reload.
            self.onSignal()
        }
    }

    /// Reads the file once; the pipeline continues whatever the result.
    func reload() {
        do {
            if try self.pipeline.reload(contentsOf: self.path) == .unchanged {
                self.logger.notice("reload: no changes", metadata: ["file": "\(self.path)"])
            }
        } catch {
            let lines = (error as? ConfigurationError)?.lines ?? ["\(error)"]
            for line in lines { self.logger.error("reload refused", metadata: ["error": "\(line)"]) }
            self.logger.error(
                "reload refused: the previous version stays active",
                metadata: ["file": "\(self.path)", "generation": "\(self.pipeline.reloads.generation)"])
        }
    }
}
