import Glibc
import LocalFiles
import Logging
import PipelineEngine
import StageKit

/// Writes one NDJSON line for each event with its outcome, in stream order.
///
/// Lines are collected and written at the end of each batch, before the cursor moves, so that what the journal does not
/// have is read again. Used by the thread that runs the graph; a slow disk or reader slows the pipeline, it loses nothing.
final class Journal: OutcomeObserver {
    /// Bytes collected before they are written within a batch, so that a large batch does not grow the buffer without end.
    private static let flushSize = 1 << 20

    /// Why the journal cannot be written.
    struct JournalError: Error, CustomStringConvertible {
        /// What is wrong and what to do.
        var description: String
    }

    private let path: String
    private let logger: Logger?
    private let rotation: FileRotation?
    /// The requests to reopen the file that were followed.
    private var generation: UInt64 = 0
    private var file: AppendedFile
    private var buffer: [UInt8] = []
    private var failure: JournalError?

    /// Opens the journal for appending.
    ///
    /// - Parameters:
    ///   - path: The file, or `-` for standard output.
    ///   - rotation: The requests to reopen the file.
    ///   - logger: The logger for a line that was cut off and for a file that cannot be reopened.
    init(path: String, rotation: FileRotation? = nil, logger: Logger? = nil) throws(JournalError) {
        self.path = path
        self.rotation = rotation
        self.logger = logger
        self.generation = rotation?.generation ?? 0
        if path == "-" {
            self.file = AppendedFile(standard: STDOUT_FILENO, name: "standard output")
        } else {
            self.file = try Self.open(path, logger)
        }
    }

    private static func open(_ path: String, _ logger: Logger?) throws(JournalError) -> AppendedFile {
        do throws(SystemFailure) {
            let file = try AppendedFile(path: path)
            if file.tornBytes > 0 {
                logger?.warning(
                    "the journal ended within a line: a line end was added",
                    metadata: ["path": "\(path)", "bytes": "\(file.tornBytes)"])
            }
            return file
        } catch {
            throw JournalError(description: "the journal \(path) cannot be opened: \(error.reason)")
        }
    }

    /// Adds the event's line.
    func observe(_ event: borrowing Event, _ record: OutcomeRecord) {
        JournalLine.append(event, record, to: &self.buffer)
        if self.buffer.count >= Self.flushSize { self.flush() }
    }

    /// Writes what was collected; throws where the journal cannot be written.
    func endBatch() async throws {
        self.flush()
        if let failure = self.failure { throw failure }
    }

    private func flush() {
        guard self.failure == nil else { return }
        self.followRotation()
        do throws(SystemFailure) {
            // A reader of a pipe that has stopped reading holds up the pipeline, and not the end of the process.
            try self.file.append(self.buffer) { Task.isCancelled }
        } catch {
            self.failure = JournalError(description: "the journal \(self.path) cannot be written: \(error.reason)")
        }
        self.buffer.removeAll(keepingCapacity: true)
    }

    /// Reopens the file if that was asked for; lines go on to the old one if it cannot be.
    private func followRotation() {
        guard let rotation = self.rotation, rotation.generation != self.generation else { return }
        self.generation = rotation.generation
        guard self.path != "-" else { return }
        do throws(JournalError) {
            self.file = try Self.open(self.path, self.logger)
        } catch {
            self.logger?.error(
                "cannot reopen the journal: lines go on to the file that is open", metadata: ["error": "\(error)"])
        }
    }
}
