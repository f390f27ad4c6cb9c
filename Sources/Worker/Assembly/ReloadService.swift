import Logging
import PipelineEngine
import ServiceLifecycle
import UnixSignals

/// Has a pipeline take over its file as it is now, each time the process is told to by SIGHUP.
///
/// What comes of it is in the log: everything that keeps the file from being taken over line by line, as `validate` would
/// tell it. Signals that come while one is handled are one, and the file is read after the last of them.
struct ReloadService: Service {
    /// The pipeline.
    let pipeline: Pipeline
    /// Its file.
    let path: String
    /// Where it is told.
    let logger: Logger
    /// Runs what it is given, the reload, and tells whoever has to know meanwhile.
    var around: @Sendable (() -> Void) -> Void = { $0() }

    /// Waits for signals until a graceful shutdown begins.
    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            self.around { self.reload() }
        }
    }

    /// Reads the file once; the pipeline runs on whatever comes of it.
    func reload() {
        do {
            if try self.pipeline.reload(contentsOf: self.path) == .unchanged {
                self.logger.notice("reload: the file says what it said before", metadata: ["file": "\(self.path)"])
            }
        } catch {
            let lines = (error as? ConfigurationError)?.lines ?? ["\(error)"]
            for line in lines { self.logger.error("reload refused", metadata: ["error": "\(line)"]) }
            self.logger.error(
                "reload refused: the version before runs on",
                metadata: ["file": "\(self.path)", "generation": "\(self.pipeline.reloads.generation)"])
        }
    }
}
