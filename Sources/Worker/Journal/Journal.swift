import Glibc
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
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var failure: JournalError?

    /// Opens the journal for appending; `-` is standard output.
    init(path: String) throws(JournalError) {
        self.path = path
        if path == "-" {
            self.descriptor = STDOUT_FILENO
        } else {
            self.descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
            if self.descriptor < 0 { throw Self.error(path, "cannot be opened") }
        }
    }

    deinit {
        if self.descriptor != STDOUT_FILENO { close(self.descriptor) }
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
        var start = 0
        while start < self.buffer.count {
            let written = unsafe self.buffer.withUnsafeBytes { bytes in
                unsafe write(self.descriptor, bytes.baseAddress! + start, bytes.count - start)
            }
            if written < 0, errno == EINTR { continue }
            if written < 0 {
                self.failure = Self.error(self.path, "cannot be written")
                break
            }
            start += written
        }
        self.buffer.removeAll(keepingCapacity: true)
    }

    private static func error(_ path: String, _ what: String) -> JournalError {
        let reason = unsafe String(cString: strerror(errno))
        return JournalError(description: "the journal \(path) \(what): \(reason)")
    }
}
