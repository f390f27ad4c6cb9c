import Glibc
import LocalFiles
package import Logging
package import PipelineEngine
package import StageKit

/// Writes one NDJSON line for each event with its outcome, in stream order.
///
/// Lines are collected and written at the end of each batch, before the cursor moves, so that events missing from the
/// journal are read again. Used by the thread that runs the graph; a slow disk or reader slows the pipeline down but
/// loses nothing.
package final class Journal: OutcomeObserver {
    /// Maximum bytes collected within a batch before they are written, so that a large batch does not grow the buffer
    /// forever.
    private static let flushSize = 1 << 20

    /// The journal cannot be written.
    package struct JournalError: Error, CustomStringConvertible {
        /// The problem and its remedy.
        package var description: String
    }

    private let path: String
    private var file: LineFile
    private var buffer: [UInt8] = []
    private var failure: JournalError?

    /// Opens the journal for appending.
    ///
    /// - Parameters:
    ///   - path: The file, or `-` for standard output.
    ///   - rotation: The requests to reopen the file.
    ///   - logger: The logger for a line that was cut off and for a file that cannot be reopened.
    package init(path: String, rotation: FileRotation? = nil, logger: Logger? = nil) throws(JournalError) {
        let file: LineFile
        if path == "-" {
            file = LineFile(standard: STDOUT_FILENO, name: "standard output")
        } else {
            do throws(LineFile.Failure) {
                file = try LineFile(path: path, name: "journal", rotation: rotation, logger: logger)
            } catch {
                throw JournalError(description: error.description)
            }
        }
        self.path = path
        self.file = file
    }

    /// Adds the event's line.
    package func observe(_ event: borrowing Event, _ result: EventResult) {
        JournalLine.append(event, result, to: &self.buffer)
        if self.buffer.count >= Self.flushSize { self.flush() }
    }

    /// Writes the collected lines.
    ///
    /// - Throws: An error if the journal cannot be written.
    package func endBatch() async throws {
        self.flush()
        if let failure = self.failure { throw failure }
    }

    private func flush() {
        guard self.failure == nil else { return }
        do throws(SystemFailure) {
            // If the reader of a pipe has stopped reading, the pipeline blocks, but the process can still end.
            try self.file.append(self.buffer) { Task.isCancelled }
        } catch {
            self.failure = JournalError(description: "cannot write the journal \(self.path): \(error.reason)")
        }
        self.buffer.removeAll(keepingCapacity: true)
    }
}
