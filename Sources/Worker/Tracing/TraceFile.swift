import Admin
import Glibc
import StageKit
import Synchronization

/// A file of spans in OpenTelemetry's JSON encoding, one document a line, as the OpenTelemetry Collector's `otlpjsonfile`
/// receiver reads it.
///
/// Callable from any thread. A file that cannot be written any more loses spans and nothing else: they are counted.
final class TraceFile: Sendable {
    /// Why the file cannot be opened.
    struct Failure: Error, CustomStringConvertible {
        /// What is wrong and what to do.
        var description: String
    }

    /// Traces written in a second: a busy worker has thousands of batches, and a few of them show where time goes.
    static let tracesPerSecond = 50

    private struct Budget {
        var second: Int64 = 0
        var count = 0
    }

    private let descriptor: Int32
    private let budget = OrderedMutex(Budget())
    private let writing = OrderedMutex(())
    private let written = Atomic<UInt64>(0)
    private let lost = Atomic<UInt64>(0)

    /// Opens the file for appending.
    init(path: String) throws(Failure) {
        self.descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        if self.descriptor < 0 {
            throw Failure(
                description: "the trace file \(path) cannot be opened: \(unsafe String(cString: strerror(errno)))")
        }
    }

    deinit {
        close(self.descriptor)
    }

    /// Whether a trace that begins now, in nanoseconds since 1970, is written.
    func admitsTrace(at now: UInt64) -> Bool {
        let second = Int64(now / 1_000_000_000)
        let isAdmitted = self.budget.withLock { budget in
            if budget.second != second { budget = Budget(second: second) }
            budget.count += 1
            return budget.count <= Self.tracesPerSecond
        }
        if !isAdmitted { self.lost.add(1, ordering: .relaxed) }
        return isAdmitted
    }

    /// Writes one line, whose end is added here.
    func write(_ line: [UInt8]) {
        let line = line + [UInt8(ascii: "\n")]
        let isWritten = self.writing.withLock { _ in
            // Unsafe, as it takes a pointer: it stays within the call, and the count is that of the bytes there.
            unsafe Glibc.write(self.descriptor, line, line.count) == line.count
        }
        if isWritten {
            self.written.add(1, ordering: .relaxed)
        } else {
            self.lost.add(1, ordering: .relaxed)
        }
    }

    /// The counts for `/metrics`.
    func samples() -> [MetricSample] {
        let counts = [
            ("written", self.written.load(ordering: .relaxed)), ("left_out", self.lost.load(ordering: .relaxed)),
        ]
        return counts.map { result, count in
            MetricSample(
                "sluice_trace_spans_total", .counter,
                help: "Spans written to the trace file, and traces or spans left out of it.",
                labels: [("result", result)], value: Double(count))
        }
    }
}
