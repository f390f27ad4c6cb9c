import StageKit

/// When a worker is ready: connected and caught up with the stream.
enum Readiness {
    /// Why it is not ready, empty where it is.
    static func reasons(_ status: SourceStatus) -> [String] {
        switch status.state {
        case .idle: ["the source has not started"]
        case .connecting: ["not connected to the source" + (status.lastError.map { ": \($0)" } ?? "")]
        case .stopped: ["the source has stopped"]
        case .reading: status.isCaughtUp ? [] : ["catching up with the stream"]
        }
    }
}
