import Synchronization

/// Requests to reopen the files that a worker appends to, after log rotation has renamed them. Callable from any thread.
package final class FileRotation: Sendable {
    private let count = Atomic<UInt64>(0)

    /// Creates a counter without requests.
    package init() {}

    /// The number of requests so far.
    package var generation: UInt64 { self.count.load(ordering: .acquiring) }

    /// Requests that the files are reopened before the next line is written.
    package func request() {
        self.count.add(1, ordering: .releasing)
    }
}
