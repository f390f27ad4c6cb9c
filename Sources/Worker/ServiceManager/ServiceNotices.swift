/// Decides what a service manager is told from one look at the worker to the next.
///
/// READY is said once, when the worker answers over HTTP, not when it has caught up: whoever looks a session up gets an
/// answer from then on, if only that it is too early to say, and a Redis that is away at boot must not have the worker
/// ended by the manager. Whether it has caught up is in STATUS. WATCHDOG is sent if the run has made a step since the last
/// look, and while it waits within a bound that it has declared.
struct ServiceNotices {
    /// Bytes of a status: it is one line in `systemctl status`, and reasons may quote a server.
    static let statusLimit = 512

    /// What a look at the worker shows.
    struct Look {
        /// Whether it answers over HTTP.
        var isServing: Bool
        /// Why it is not ready, empty where it is.
        var reasons: [String]
        /// For how long the run has been silent although it should not.
        var silence: Duration
    }

    private var isReady = false
    private var status: String?

    /// The lines to send now, empty for none.
    mutating func next(_ look: Look) -> [String] {
        var lines: [String] = []
        if look.isServing, !self.isReady {
            self.isReady = true
            lines.append("READY=1")
        }
        let status = Self.line(look.reasons.isEmpty ? "ready" : look.reasons.joined(separator: "; "))
        if status != self.status {
            self.status = status
            lines.append("STATUS=\(status)")
        }
        if look.silence == .zero { lines.append("WATCHDOG=1") }
        return lines
    }

    /// What is sent when the file begins to be read again; `now` is CLOCK_MONOTONIC.
    static func reloading(at now: Duration) -> [String] {
        let microseconds = now.components.seconds * 1_000_000 + now.components.attoseconds / 1_000_000_000_000
        return ["RELOADING=1", "MONOTONIC_USEC=\(microseconds)"]
    }

    /// What is sent when the file has been read again, whatever came of it: the worker runs on.
    static let reloaded = ["READY=1"]

    /// What is sent when the worker begins to stop.
    static let stopping = ["STOPPING=1", "STATUS=stopping"]

    /// One line of at most so many bytes.
    private static func line(_ text: String) -> String {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.utf8.count <= Self.statusLimit
            ? line : String(decoding: line.utf8.prefix(Self.statusLimit - 3), as: UTF8.self) + "..."
    }
}
