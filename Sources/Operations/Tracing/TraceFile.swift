package import Admin
import LocalFiles
package import Logging
import StageKit
import Synchronization

/// A file of spans in OpenTelemetry's JSON encoding, one document per line, as the OpenTelemetry Collector's
/// `otlpjsonfile` receiver reads it.
///
/// Callable from any thread. If the file can no longer be written, only spans are lost, and they are counted.
package final class TraceFile: SpanSink {
    /// The file cannot be opened.
    package struct Failure: Error, CustomStringConvertible {
        /// The problem and its remedy.
        package var description: String
    }

    /// The open file.
    private struct Output: ~Copyable, Sendable {
        var file: AppendedFile
        var generation: UInt64
    }

    private let path: String
    private let rotation: FileRotation?
    private let logger: Logger?
    private let budget: OrderedMutex<TraceBudget>
    private let writing: Mutex<Output>
    private let written: Atomic<UInt64>
    private let lost: Atomic<UInt64>

    /// Opens the file for appending.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - rotation: The requests to reopen the file.
    ///   - logger: The logger for a line that was cut off and for a file that cannot be reopened.
    package init(path: String, rotation: FileRotation? = nil, logger: Logger? = nil) throws(Failure) {
        // Before any property is set: the optimizer of Swift 6.3.1 fails on an initializer that throws after it has made
        // an atomic.
        let file = try Self.open(path, logger)
        self.path = path
        self.rotation = rotation
        self.logger = logger
        self.budget = OrderedMutex(TraceBudget())
        self.writing = Mutex(Output(file: file, generation: rotation?.generation ?? 0))
        self.written = Atomic(0)
        self.lost = Atomic(0)
    }

    private static func open(_ path: String, _ logger: Logger?) throws(Failure) -> AppendedFile {
        do throws(SystemFailure) {
            let file = try AppendedFile(path: path)
            if file.tornBytes > 0 {
                logger?.warning(
                    "the trace file ended with an incomplete line: a line end was added",
                    metadata: ["path": "\(path)", "bytes": "\(file.tornBytes)"])
            }
            return file
        } catch {
            throw Failure(description: "cannot open the trace file \(path): \(error.reason)")
        }
    }

    /// Reopens the file if requested; if that fails, lines go to the old file.
    private func followRotation(_ output: inout Output) {
        guard let rotation = self.rotation, rotation.generation != output.generation else { return }
        output.generation = rotation.generation
        do throws(Failure) {
            output.file = try Self.open(self.path, self.logger)
        } catch {
            self.logger?.error(
                "cannot reopen the trace file: writing to the open file continues", metadata: ["error": "\(error)"])
        }
    }

    /// Returns whether a trace that begins now is written; `now` is in nanoseconds since 1970.
    package func admitsTrace(at now: UInt64) -> Bool {
        let isAdmitted = self.budget.withLock { $0.admits(at: now) }
        if !isAdmitted { self.lost.add(1, ordering: .relaxed) }
        return isAdmitted
    }

    /// Writes a span as one line.
    package func write(_ span: SpanRecord) {
        self.write(span.line)
    }

    /// Writes one line; adds the line end.
    private func write(_ line: [UInt8]) {
        let line = line + [UInt8(ascii: "\n")]
        let isWritten = self.writing.withLock { output in
            self.followRotation(&output)
            // Spans are not worth waiting for a reader.
            return (try? output.file.append(line) { true }) != nil
        }
        if isWritten {
            self.written.add(1, ordering: .relaxed)
        } else {
            self.lost.add(1, ordering: .relaxed)
        }
    }

    /// The counts for `/metrics`.
    package func samples() -> [MetricSample] {
        let counts = [
            ("written", self.written.load(ordering: .relaxed)), ("left_out", self.lost.load(ordering: .relaxed)),
        ]
        return counts.map { result, count in
            MetricSample(
                "sluice_trace_spans_total", .counter,
                help: "Spans written to the trace file, and traces or spans omitted from it.",
                labels: [("result", result)], value: Double(count))
        }
    }
}
