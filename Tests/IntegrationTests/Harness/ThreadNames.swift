import Foundation
import StageKit

/// Which threads something ran on, by name.
final class ThreadNames: Sendable {
    private struct State {
        var names: Set<String> = []
        var events = 0
    }

    private let state = OrderedMutex(State())

    /// The names noted.
    var distinct: Set<String> { self.state.withLock { $0.names } }
    /// The events noted.
    var events: Int { self.state.withLock { $0.events } }

    /// Notes the calling thread, and events.
    func note(_ events: Int) {
        let name = Self.currentName()
        self.state.withLock { state in
            state.names.insert(name)
            state.events += events
        }
    }

    private static func currentName() -> String {
        (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? "unknown"
    }
}
