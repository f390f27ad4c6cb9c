public import ComponentKit
public import StageKit

/// Checks the contract of sources, which is documented at `EventSource`.
public enum SourceConformance {
    /// Checks a source against the contract. A source that does not stop makes the check wait forever.
    ///
    /// - Parameters:
    ///   - type: The source type.
    ///   - settings: Valid settings, with which each new source delivers at least `entries` entries. For a source that
    ///     can start at a checkpoint, they say that it does.
    ///   - entries: The number of entries after which the source is stopped.
    /// - Returns: The violations, one sentence each; empty if there are none.
    public static func check(_ type: SourceType, _ settings: SettingNode, entries: Int = 3) async -> [String] {
        func make(_ surroundings: SourceSurroundings) throws -> any EventSource {
            let setup = ComponentSetup.fixture(type.name)
            setup.stores = [surroundings.store.name: surroundings.store]
            setup.checkpoint = surroundings.checkpoint
            return try setup.made(type.make(settings, setup))
        }
        do {
            _ = try make(SourceSurroundings())
        } catch {
            return ["the source fails: \(error)"]
        }
        var violations = await self.check(entries: entries) { try make(SourceSurroundings()) }
        do {
            violations += try await SourceCheck.stores(make, entries)
            violations += try await ResumeCheck.violations(make, entries)
        } catch {
            violations.append("the source fails: \(error)")
        }
        return violations
    }

    /// Checks the sources that `make` returns: a new one for each call. This checks neither the freshness of stores nor
    /// checkpoints.
    public static func check(entries: Int = 3, _ make: () throws -> any EventSource) async -> [String] {
        do {
            return try await SourceCheck.order(make(), entries) + SourceCheck.failure(make())
                + SourceCheck.earlyStop(make()) + SourceCheck.lateStop(make(), entries)
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

    /// The number of delivered entries, for another task.
    private final class Counter: Sendable {
        let count = OrderedMutex(0)
    }

    /// Checks ids and cursor until the source is stopped.
    static func order(_ source: any EventSource, _ entries: Int) async throws -> [String] {
        let seen = OrderedMutex(Seen())
        let state = source.status.state
        try await source.run { batch in
            let ids = (0..<batch.count).map { index in batch.withEvent(at: index) { event in event.id } }
            let (cursor, bookmark, stream) = (source.status.cursor, source.bookmark, batch.stream)
            let count = seen.withLock { seen in
                if !source.streams.contains(stream) {
                    seen.violations.append("a batch is of the stream \"\(stream)\", which is not among streams")
                }
                if let first = ids.first, let bookmark, bookmark.cursor >= first {
                    seen.violations.append(
                        "the bookmark is at \(bookmark.cursor) while the batch from \(first) on is delivered")
                }
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
            guard let first = first.withLock(\.self) else { return [] }
            return [("cursor", source.status.cursor), ("bookmark", source.bookmark?.cursor)].compactMap { name, id in
                guard let id, id >= first else { return nil }
                return "the \(name) is at \(id) after the batch that begins at \(first) has failed"
            }
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

    /// Checks that a source returns after it was stopped on another thread, while it reads or waits.
    static func lateStop(_ source: any EventSource, _ entries: Int) async throws -> [String] {
        let counter = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while counter.count.withLock(\.self) < entries {
                    do { try await Task.sleep(for: .milliseconds(1)) } catch { return }
                }
                source.stop()
            }
            defer { group.cancelAll() }
            try await source.run { batch in counter.count.withLock { $0 += batch.count } }
        }
        return source.status.state == .stopped ? [] : ["the state is not stopped after a stop on another thread"]
    }

    /// Checks that the stores of the source are stale until it has filled them, that they know their streams, and that
    /// the source counts its steps.
    static func stores(
        _ make: (SourceSurroundings) throws -> any EventSource, _ entries: Int
    ) async throws -> [String] {
        let surroundings = SourceSurroundings()
        let source = try make(surroundings)
        let store = surroundings.store
        var violations: [String] = []
        if !store.isStale {
            violations.append(
                "the stores are fresh before the source has read anything: call setFilling(true) when it is created")
        }
        if source.streams.count > 1, store.streams != source.streams {
            violations.append("the stores do not know the streams: call setStreams of streamFed")
        }
        let pulses = source.status.pulses
        _ = try await self.ids(of: source, entries)
        let status = source.status
        if status.pulses == pulses {
            violations.append("pulses does not change, so that a worker takes the source for hung")
        }
        if status.isCaughtUp, store.isStale {
            violations.append("the stores are stale although isCaughtUp is true: call setFilling(false) and prove")
        }
        return violations
    }

    /// Runs a source until it has delivered a number of entries, and returns the ids of all that it has delivered.
    static func ids(of source: any EventSource, _ entries: Int) async throws -> [EntryID] {
        let seen = OrderedMutex<[EntryID]>([])
        try await source.run { batch in
            let ids = (0..<batch.count).map { index in batch.withEvent(at: index) { event in event.id } }
            let count = seen.withLock { seen in
                seen += ids
                return seen.count
            }
            if count >= entries { source.stop() }
        }
        return seen.withLock(\.self)
    }
}
