package import Admin
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

    private let budget: OrderedMutex<TraceBudget>
    private let writing: Mutex<LineFile>
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
        let file: LineFile
        do throws(LineFile.Failure) {
            file = try LineFile(path: path, name: "trace file", rotation: rotation, logger: logger)
        } catch {
            throw Failure(description: error.description)
        }
        self.budget = OrderedMutex(TraceBudget())
        self.writing = Mutex(file)
        self.written = Atomic(0)
        self.lost = Atomic(0)
    }

    /// Returns whether a trace that begins now is written; `now` is in nanoseconds since 1970.
    package func admitsTrace(at now: UInt64) -> Bool {
        let isAdmitted = self.budget.withLock { $0.admits(at: now) }
        if !isAdmitted { self.lost.add(1, ordering: .relaxed) }
        return isAdmitted
    }

    /// Writes a span as one line.
    package func write(_ span: SpanData) {
        self.write(span.line)
    }

    /// Writes one line; adds the line end.
    private func write(_ line: [UInt8]) {
        let line = line + [UInt8(ascii: "\n")]
        let isWritten = self.writing.withLock { file in
            // Spans are not worth waiting for a reader.
            (try? file.append(line) { true }) != nil
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
