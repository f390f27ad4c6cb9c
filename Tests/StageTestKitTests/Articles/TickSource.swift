public import ComponentKit
public import StageKit

/// Delivers one numbered entry per interval.
public final class TickSource: EventSource {
    /// The settings under `tick` in the pipeline file.
    public struct Settings: Sendable {
        /// The time between two entries.
        var interval = Duration.seconds(1)
        /// The field with the number.
        var field = "number"
    }

    /// Name, settings and documentation, for all subcommands.
    public static let type = SourceType(
        name: "tick", summary: "Delivers one numbered entry per interval.",
        settings: .object(
            SettingsSchema(
                Settings(),
                [
                    .optional(
                        "interval", \.interval, .duration(minimum: .milliseconds(1)), default: "1s",
                        "Time between two entries."),
                    .optional("field", \.field, .nonBlankText, default: "number", "Field with the number."),
                ]))
    ) { settings, setup in
        TickSource(settings, stores: Array(setup.stores.values))
    }

    private struct State {
        var status = SourceStatus()
        var isStopped = false
    }

    /// The longest time until the source notices `stop`.
    private static let longestPause = Duration.milliseconds(50)

    /// The stream's name in logs and journals.
    public let stream = "tick"
    private let settings: Settings
    private let stores: [any SnapshotStore]
    private let state = OrderedMutex(State())

    /// Creates a source that has not started. The stores are those that the events update.
    public init(_ settings: Settings, stores: [any SnapshotStore]) {
        self.settings = settings
        self.stores = stores
        for store in stores { store.freshness?.setFilling(true) }
    }

    /// The status of the source.
    public var status: SourceStatus { self.state.withLock { $0.status } }

    /// Ends the run after the batch in flight.
    public func stop() {
        self.state.withLock { $0.isStopped = true }
    }

    private var isStopped: Bool { Task.isCancelled || self.state.withLock { $0.isStopped } }

    /// Delivers entries until `stop` is called.
    public nonisolated(nonsending) func run(
        _ deliver: nonisolated(nonsending) (EventBatch) async throws -> Void
    ) async throws {
        self.state.withLock { $0.status.state = .reading }
        defer { self.state.withLock { $0.status.state = .stopped } }
        let batch = EventBatch()
        batch.stream = self.stream
        // Ids ascend, also across restarts: a store refuses entries that are older than its content.
        var id = EntryID.zero
        var number = 0
        while !self.isStopped {
            number += 1
            id.milliseconds = max(id.milliseconds + 1, UInt64(WallClock.system.milliseconds))
            batch.removeAll()
            batch.append(id: id, fields: [(Array(self.settings.field.utf8), Array("\(number)".utf8))])
            batch.takeOriginals()
            // An error ends the run. When this returns, every event of the batch has its outcome.
            try await deliver(batch)
            self.delivered(id)
            await self.pause()
        }
    }

    /// Advances the cursor, and confirms that the stores hold every entry up to now.
    private func delivered(_ id: EntryID) {
        self.state.withLock { state in
            state.status.cursor = id
            state.status.isCaughtUp = true
            state.status.pulses += 1
        }
        for store in self.stores {
            store.freshness?.setFilling(false)
            store.freshness?.prove(at: .now)
        }
    }

    private nonisolated(nonsending) func pause() async {
        let end = ContinuousClock.now + self.settings.interval
        while !self.isStopped, ContinuousClock.now < end {
            try? await Task.sleep(for: min(end - ContinuousClock.now, Self.longestPause))
            self.state.withLock { $0.status.pulses += 1 }
        }
    }
}
