/// Decides which notifications a service manager gets after each check of the worker.
///
/// READY is sent once, when the worker answers over HTTP, not when it has caught up: from then on every lookup gets a
/// response, even if it is only that the store is not ready, and if Redis is unreachable at boot, the manager must not
/// kill the worker. STATUS reports whether the worker has caught up. WATCHDOG is sent if the run has made progress
/// since the last check, or waits within a limit that it has declared.
struct ServiceNotices {
    /// Maximum bytes of a status: it is one line in `systemctl status`, and reasons may quote a server.
    static let statusLimit = 512

    /// The worker's state, as found by a check.
    struct WorkerState {
        /// Whether the worker answers over HTTP.
        var isServing: Bool
        /// The reasons why it is not ready; empty if it is.
        var reasons: [String]
        /// The time without expected progress of the run.
        var silence: Duration
        /// Whether the manager has not accepted the message that a reload has ended.
        var isReloadOpen = false
    }

    private var isReady = false
    private var status: String?

    /// Sends the lines that are due. What the manager does not accept is due again at the next check, so that it never
    /// waits for a READY, or shows a status, that was lost.
    ///
    /// - Parameter send: Sends one message, unless it has no lines; returns whether the manager has accepted it.
    mutating func next(_ state: WorkerState, send: ([String]) -> Bool) {
        var next = self
        if send(next.lines(state)) { self = next }
    }

    private mutating func lines(_ state: WorkerState) -> [String] {
        var lines: [String] = []
        if state.isServing, !self.isReady || state.isReloadOpen {
            self.isReady = true
            lines.append("READY=1")
        }
        let status = Self.line(state.reasons.isEmpty ? "ready" : state.reasons.joined(separator: "; "))
        if status != self.status {
            self.status = status
            lines.append("STATUS=\(status)")
        }
        if state.silence == .zero { lines.append("WATCHDOG=1") }
        return lines
    }

    /// Returns the lines to send when a reload begins; `now` is CLOCK_MONOTONIC.
    static func reloading(at now: Duration) -> [String] {
        let microseconds = now.components.seconds * 1_000_000 + now.components.attoseconds / 1_000_000_000_000
        return ["RELOADING=1", "MONOTONIC_USEC=\(microseconds)"]
    }

    /// The lines to send after a reload, whatever its result: the worker continues.
    static let reloaded = ["READY=1"]

    /// The lines to send when a shutdown begins.
    static let stopping = ["STOPPING=1", "STATUS=stopping"]

    /// Returns the text as one line of at most `statusLimit` bytes.
    private static func line(_ text: String) -> String {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.utf8.count <= Self.statusLimit
            ? line : String(decoding: line.utf8.prefix(Self.statusLimit - 3), as: UTF8.self) + "..."
    }
}
