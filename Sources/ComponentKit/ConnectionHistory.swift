import StageKit
import Synchronization

/// Records for one run which credentials a server has accepted, and how often credentials failed.
///
/// When a worker starts, a refused login or an unusable password or certificate file is an error in its settings. Once
/// a connection with the same credentials was open, the cause is usually a rotation that is not complete: files are not
/// replaced atomically, and servers and clients get new secrets at different times. A component that connects for the
/// first time in the middle of a rotation must know that the worker has been connected, so each pipeline has one
/// history, which its components share (`ComponentSetup.connections`).
///
/// Thread-safe.
public final class ConnectionHistory: Sendable {
    /// Credentials together with the server or servers that they are for. Equal values share what is known about them.
    public struct Credentials: Hashable, Sendable {
        private let value: any Hashable & Sendable

        /// Identifies credentials by the settings that contain them.
        public init(_ value: any Hashable & Sendable) {
            self.value = value
        }

        /// Compares the settings.
        public static func == (left: Credentials, right: Credentials) -> Bool {
            AnyHashable(left.value) == AnyHashable(right.value)
        }

        /// Hashes the settings.
        public func hash(into hasher: inout Hasher) {
            AnyHashable(self.value).hash(into: &hasher)
        }
    }

    private struct State {
        var accepted: Set<Credentials> = []
        var failures: [String: Int] = [:]
    }

    private let state = OrderedMutex(State())

    /// Creates the history of a run that has not connected yet.
    public init() {}

    /// Records that a connection with these credentials was opened.
    public func accepted(_ credentials: Credentials) {
        self.state.withLock { _ = $0.accepted.insert(credentials) }
    }

    /// Returns whether the run has ever had a connection with these credentials.
    public func hasAccepted(_ credentials: Credentials) -> Bool {
        self.state.withLock { $0.accepted.contains(credentials) }
    }

    /// Counts an attempt that failed because of credentials.
    ///
    /// - Parameter reason: The kind of failure, one of a few fixed names; a label of the metric.
    public func failed(_ reason: String) {
        self.state.withLock { $0.failures[reason, default: 0] += 1 }
    }

    /// The number of attempts that failed because of credentials, by reason.
    public var failures: [String: Int] { self.state.withLock(\.failures) }
}
