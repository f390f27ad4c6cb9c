public import ComponentKit
public import StageKit

/// Checks the contract of sources, which is documented at `EventSource`.
public enum SourceConformance {
    /// Checks a source against the contract. A source that does not stop makes the check wait forever.
    ///
    /// - Parameters:
    ///   - type: The source type.
    ///   - settings: Valid settings, with which each new source delivers at least `entries` entries.
    ///   - entries: The number of entries after which the source is stopped.
    /// - Returns: The violations, one sentence each; empty if there are none.
    public static func check(_ type: SourceType, _ settings: SettingNode, entries: Int = 3) async -> [String] {
        await self.check(entries: entries) {
            let setup = ComponentSetup.fixture(type.name)
            return try setup.made(type.make(settings, setup))
        }
    }

    /// Checks the sources that `make` returns: a new one for each call.
    public static func check(entries: Int = 3, _ make: () throws -> any EventSource) async -> [String] {
        do {
            return try await SourceCheck.order(make(), entries) + SourceCheck.failure(make())
                + SourceCheck.earlyStop(make())
        } catch {
            return ["the source fails: \(error)"]
        }
    }
}

/// The checks of one source each.
enum SourceCheck {
    /// The error with which a batch fails.
    private struct BatchFailed: Error {}

    /// The observations of a run.
    private struct Seen: Sendable {
        var ids: [EntryID] = []
        var violations: [String] = []
    }

    /// Checks ids and cursor until the source is stopped.
    static func order(_ source: any EventSource, _ entries: Int) async throws -> [String] {
        let seen = OrderedMutex(Seen())
        let state = source.status.state
        try await source.run { batch in
            let ids = (0..<batch.count).map { index in batch.withEvent(at: index) { event in event.id } }
            let cursor = source.status.cursor
            let count = seen.withLock { seen in
                if let first = ids.first, let cursor, cursor >= first {
                    seen.violations.append("the cursor is at \(cursor) while the batch from \(first) on is delivered")
                }
                seen.ids += ids
                return seen.ids.count
            }
            if count >= entries { source.stop() }
        }
        let ids = seen.withLock(\.ids)
        var violations = seen.withLock(\.violations)
        let status = source.status
        for (moment, found, wanted) in [("before", state, SourceStatus.State.idle), ("after", status.state, .stopped)]
        where found != wanted {
            violations.append("the state is \(found.rawValue), not \(wanted.rawValue), \(moment) the run")
        }
        if ids.count < entries { violations.append("\(ids.count) entries were delivered, not \(entries)") }
        if !zip(ids, ids.dropFirst()).allSatisfy({ $0 < $1 }) {
            violations.append("the ids of the entries do not ascend")
        }
        if let last = ids.last, status.cursor.map({ $0 < last }) ?? true {
            violations.append("the cursor is not at the last delivered entry \(last) after the run")
        }
        return violations
    }

    /// Checks that an error of a batch ends the run, and that the cursor stays before the batch.
    static func failure(_ source: any EventSource) async -> [String] {
        let first = OrderedMutex<EntryID?>(nil)
        do {
            try await source.run { batch in
                let id = batch.withEvent(at: 0) { event in event.id }
                first.withLock { $0 = id }
                throw BatchFailed()
            }
            return ["the run does not end with the error of a batch"]
        } catch is BatchFailed {
            let first = first.withLock(\.self)
            guard let first, let cursor = source.status.cursor, cursor >= first else { return [] }
            return ["the cursor is at \(cursor) after the batch that begins at \(first) has failed"]
        } catch {
            return ["the run ends with \(error), not with the error of the batch"]
        }
    }

    /// Checks that a source that was stopped before it runs returns.
    static func earlyStop(_ source: any EventSource) async throws -> [String] {
        source.stop()
        source.stop()
        try await source.run { _ in }
        return source.status.state == .stopped ? [] : ["the state is not stopped after an early stop"]
    }
}
