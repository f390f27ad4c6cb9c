import ComponentKit
import Documentation
import PipelineEngine
import StageKit

/// A diagnosis of the worker for an operator on call: the problem, its consequence and the remedy.
struct Advice: Equatable {
    /// The severity.
    package enum Level: String {
        /// No problem.
        case good
        /// Temporary, or without consequences so far.
        case notice
        /// Lookups are refused, or will be soon.
        case bad
    }

    /// A smaller lag, in seconds, counts as none: between two batches of a busy stream a worker is always slightly
    /// behind.
    private static let passingLag = 2.0

    /// Whether a lag in seconds is more than the entries of the moment; an unknown lag is.
    static func isNotable(_ lag: Double?) -> Bool { lag.map { $0 >= self.passingLag } ?? true }

    /// The severity.
    var level: Level
    /// A short title.
    var title: String
    /// The consequence and the remedy.
    var text: String

    /// Returns the advice for a worker, most severe first.
    static func all(
        _ status: SourceStatus, stores: [String: any SnapshotStore], reloads: PipelineReloads, now: Double
    ) -> [Advice] {
        let refusing = stores.filter { $0.value.freshness?.isStale == true }.map(\.key).sorted()
        let lookups =
            refusing.isEmpty
            ? "Lookups are still answered from the stores"
            : "Lookups in \(refusing.joined(separator: ", ")) are refused (503)"
        var found: [Advice] = []
        if let advice = self.source(status, lookups, !refusing.isEmpty, now) { found.append(advice) }
        if status.state == .reading, !status.isFilling, status.isCaughtUp, let store = refusing.first,
            let reason = stores[store]?.freshness?.staleness
        {
            found.append(
                Advice(
                    level: .bad, title: "Lookups are refused",
                    text:
                        "\(reason.description.prefix(1).uppercased())\(reason.description.dropFirst()). The worker "
                        + "was suspended, or the server does not respond: see the worker's log."))
        }
        if !status.gaps.isEmpty {
            let gaps = status.gaps.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            found.append(
                Advice(
                    level: .notice, title: "Entries were lost before they were read",
                    text: "Since the start: \(gaps). The reaction is that of on_gap; the log has the time. "
                        + "Give the stream a larger MAXLEN, or find who deletes from it."))
        }
        if !status.detectsGaps {
            found.append(
                Advice(
                    level: .notice, title: "Gaps cannot be detected",
                    text: "The server refuses XINFO, and on_gap is continue: entries that are trimmed before they are "
                        + "read are lost silently. `sluice check` shows what the server has to permit."))
        }
        if let error = reloads.lastError {
            found.append(
                Advice(
                    level: .notice, title: "The last reload was refused",
                    text: "The previous version stays active. \(error.split(separator: "\n").first ?? "")"))
        }
        return found.isEmpty
            ? [Advice(level: .good, title: "No problems", text: "Connected and caught up; lookups are answered.")]
            : found
    }

    private static func source(
        _ status: SourceStatus, _ lookups: String, _ isRefusing: Bool, _ now: Double
    ) -> Advice? {
        let error = status.lastError.map { " The last error: \($0)\($0.last == "?" ? "" : ".")" } ?? ""
        switch status.state {
        case .idle:
            return Advice(level: .notice, title: "Starting", text: "The source has not begun to read. \(lookups).")
        case .connecting:
            return Advice(
                level: .bad, title: "Not connected",
                text: "The worker cannot reach its server and keeps trying.\(error) \(lookups)"
                    + (isRefusing ? "." : ", until max_staleness has passed since the last confirmation.")
                    + " Check that the server runs; `sluice check` shows the step that fails.")
        case .stopped:
            return Advice(
                level: .bad, title: "Stopped",
                text: "The source has stopped.\(error) \(lookups).")
        case .reading:
            if status.isFilling {
                return Advice(
                    level: .bad, title: "Filling the stores",
                    text: "The stores may be older than the stream, so lookups are refused until they are"
                        + " filled. The worker then becomes ready without further action.")
            }
            if let stalled = status.stalled {
                let stage = stalled.stage.map { "The stage \"\($0)\" has not returned" } ?? "It has not returned"
                return Advice(
                    level: .bad,
                    title: "A batch has been in flight for \(stalled.duration.components.seconds) s",
                    text: "\(stage), and all later entries wait: a revocation may be among them. \(lookups)"
                        + (isRefusing ? "." : ", until max_staleness has passed since the last confirmation.")
                        + " Check the server that the stage sends to.")
            }
            if status.isCaughtUp || (!isRefusing && !Self.isNotable(status.lagSeconds(now: now))) { return nil }
            let lag = status.lagEntries.map { ": \($0) entries wait" } ?? ""
            return Advice(
                level: isRefusing ? .bad : .notice, title: "Catching up\(lag)",
                text: "The worker is behind the stream and not ready. \(lookups). If the lag grows for minutes, entries"
                    + " arrive faster than it can process them: look for the stage that waits.")
        }
    }

    /// The advice as JSON.
    var json: JSONValue {
        .members(["level": .string(self.level.rawValue), "title": .string(self.title), "text": .string(self.text)])
    }
}
