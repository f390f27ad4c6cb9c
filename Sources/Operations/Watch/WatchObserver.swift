package import Admin
import Foundation
package import PipelineEngine
package import StageKit

/// Passes events to taps, and keeps the latest failed and skipped events.
///
/// Successful events cost nothing while there are no taps. Used by the thread that runs the graph; the results of a
/// batch are passed on once, at its end.
package final class WatchObserver: OutcomeObserver {
    private struct Watch {
        let watcher: TapWatcher
        var room: Int
        var lines: [String] = []
        var missed: UInt64 = 0
    }

    private let recent: RecentOutcomes
    private let taps: TapHub
    private let now: @Sendable () -> ContinuousClock.Instant
    private var batch = RecentOutcomes.Batch()
    private var watches: [Watch] = []
    private var looks = LookBudget()
    /// The events of the batch that were not examined for the taps.
    private var unseen = 0
    /// The indices of the watches that want the current event.
    private var wanting: [Int] = []
    private var isKept = false
    private var time = 0

    /// Creates an observer; `now` is the clock for limiting examined events.
    package init(
        recent: RecentOutcomes, taps: TapHub, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.recent = recent
        self.taps = taps
        self.now = now
    }

    /// Gets the current watchers. If the stream is faster than the budget for examining events, only failed and skipped
    /// events are examined for a while, and the others are reported as missed.
    package func beginBatch(of count: Int) -> OutcomeInterest {
        (self.time, self.unseen) = (0, 0)
        let watchers = self.taps.watchers
        if watchers.isEmpty {
            if !self.watches.isEmpty { self.watches = [] }
            return .unusual
        }
        self.watches = watchers.map { Watch(watcher: $0, room: $0.room) }
        if self.looks.take(count, at: self.now()) { return .all }
        self.unseen = count
        return .unusual
    }

    /// Whether a watch wants the event and has room for it, or the event is kept.
    package func wants(_ event: borrowing Event, _ outcome: Outcome, stage: String?, key: FieldID?) -> Bool {
        if self.unseen > 0 { self.unseen -= 1 }
        self.isKept = self.keeps(event, outcome)
        self.wanting.removeAll(keepingCapacity: true)
        for index in self.watches.indices {
            guard Self.holds(self.watches[index].watcher.filter, event, outcome, stage, key) else { continue }
            if self.watches[index].room > 0 {
                self.watches[index].room -= 1
                self.wanting.append(index)
            } else {
                self.watches[index].missed += 1
            }
        }
        return self.isKept || !self.wanting.isEmpty
    }

    private func keeps(_ event: borrowing Event, _ outcome: Outcome) -> Bool {
        let hasRoom: Bool
        if event.failure != nil {
            hasRoom = self.batch.failures.count < RecentOutcomes.failuresABatch
        } else if outcome == .applied {
            return false
        } else {
            hasRoom = self.batch.skipped.count < RecentOutcomes.skippedABatch
        }
        if !hasRoom { self.batch.unkept += 1 }
        return hasRoom
    }

    private static func holds(
        _ filter: TapWatcher.Filter, _ event: borrowing Event, _ outcome: Outcome, _ stage: String?, _ key: FieldID?
    ) -> Bool {
        if let wanted = filter.outcome, wanted != outcome.name { return false }
        if let wanted = filter.stage, wanted != stage { return false }
        guard let wanted = filter.key else { return true }
        return key.map { event.value(of: $0, equals: wanted) } ?? false
    }

    /// Formats the event's line and passes it to the watches that want it.
    package func observe(_ event: borrowing Event, _ result: EventResult) {
        if self.time == 0 { self.time = Int(Date().timeIntervalSince1970 * 1000) }
        if self.isKept {
            let key = result.keyField.flatMap { event.range(of: $0) }.map { range in
                event.withBytes(range) { RecentOutcomes.hash($0) }
            }
            let line = (key: key, json: WatchLine.json(event, result, time: self.time))
            if result.error != nil { self.batch.failures.append(line) } else { self.batch.skipped.append(line) }
        }
        if self.wanting.isEmpty { return }
        let line = WatchLine.json(event, result, time: self.time, withFields: true)
        for index in self.wanting { self.watches[index].lines.append(line) }
    }

    /// Passes on the results of the batch.
    package func endBatch() async throws {
        if !self.batch.isEmpty {
            self.recent.add(self.batch)
            self.batch = RecentOutcomes.Batch()
        }
        for watch in self.watches { watch.watcher.take(watch.lines, missed: watch.missed + UInt64(self.unseen)) }
        self.watches = []
    }
}
