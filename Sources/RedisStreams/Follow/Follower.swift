package import ComponentKit
package import Logging
package import RedisClient
package import StageKit

/// Follows a stream without talking to its server: the machine decides, and stores, checkpoint and board are updated,
/// in the order in which others may observe them.
///
/// A driver connects, sends the machine's `questions`, and reports the results, from one thread at a time.
package final class Follower {
    /// Decides where to read, and how to respond to lost entries.
    package private(set) var machine: FollowMachine
    /// The stores that the events update, fed from this stream and possibly others.
    let stores: FedStores

    /// Whether stores were emptied and the resets are not announced yet.
    package private(set) var owesResets = false

    /// The index of this stream in the source.
    private let index: Int
    private let settings: RedisStreamSettings
    private let database: Int
    /// Keeps the stores across restarts, or `nil`.
    private let checkpoint: (any CheckpointKeeper)?
    /// Loads the checkpoint and returns this stream's bookmark.
    private let loadBookmark: () throws -> String?
    private let logger: Logger
    private let update: ((inout SourceBoard) -> Void) -> Void

    /// Creates a follower that has not started.
    ///
    /// - Parameters:
    ///   - settings: Which stream to follow, and how.
    ///   - database: The number of the stream's database.
    ///   - stores: The stores that the events update, fed from all streams of the source.
    ///   - index: The index of this stream in the source.
    ///   - checkpoint: Keeps the stores across restarts, or `nil`.
    ///   - loadBookmark: Loads the checkpoint and returns this stream's bookmark, or `nil` if there is none.
    ///   - logger: Logs gaps.
    ///   - update: Changes the board that other threads see.
    init(
        _ settings: RedisStreamSettings, database: Int, stores: FedStores, index: Int,
        checkpoint: (any CheckpointKeeper)?, loadBookmark: @escaping () throws -> String?, logger: Logger,
        update: @escaping ((inout SourceBoard) -> Void) -> Void
    ) {
        self.machine = FollowMachine(settings.policy)
        self.settings = settings
        self.database = database
        self.stores = stores
        self.index = index
        self.checkpoint = checkpoint
        self.loadBookmark = loadBookmark
        self.logger = logger
        self.update = update
    }

    /// Creates a follower of a source's only stream that has not started; `update` changes the board that other threads
    /// see.
    package convenience init(
        _ settings: RedisStreamSettings, database: Int, stores: [any SnapshotStore],
        checkpoint: (any CheckpointKeeper)?, logger: Logger, update: @escaping ((inout SourceBoard) -> Void) -> Void
    ) {
        self.init(
            settings, database: database, stores: FedStores(stores, streams: 1), index: 0, checkpoint: checkpoint,
            loadBookmark: { try checkpoint?.load() }, logger: logger, update: update)
    }

    // MARK: Events

    /// Resumes from the last checkpoint, if it can be used.
    ///
    /// - Throws: An error if a lost checkpoint ends the run.
    package func loadCheckpoint() throws {
        guard self.settings.start == .resume else { return }
        do {
            guard let text = try self.loadBookmark() else { return }
            let bookmark = try CheckpointBookmark.bookmark(
                in: text, database: self.database, stream: self.settings.stream)
            self.machine = FollowMachine(self.settings.policy, resuming: bookmark)
            self.logger.notice("resuming from the checkpoint", metadata: ["cursor": "\(bookmark.cursor)"])
        } catch let failure as CheckpointFailure {
            let isOwn = failure.bookmark.flatMap {
                try? CheckpointBookmark.bookmark(in: $0, database: self.database, stream: self.settings.stream)
            }
            // States of stages with entries of another stream must not be used.
            if isOwn == nil { _ = self.checkpoint?.takeStages() }
            if case .gap(let gap, let response) = self.machine.lostCheckpoint(failure.description) {
                try self.respond(to: gap, response)
            }
        }
        self.show { _ in }
    }

    /// Handles a server's replies to the machine's queries.
    package func opened(_ answers: FollowMachine.Opening) -> FollowMachine.Course {
        let course = self.machine.opened(answers)
        self.stores.setHistoryStart(self.machine.historyStart, of: self.index)
        self.show { $0.status.cursor = self.machine.cursor }
        if case .scan(_, emptying: true) = course { self.removeAll(reason: Self.bootstrap) }
        return course
    }

    /// Records that all keys were read and delivered; returns `nil` if nothing was lost.
    package func scanned(_ facts: StreamFacts?) -> FollowMachine.Course? {
        if let course = self.machine.scanned(facts) { return course }
        self.show { _ in }
        return nil
    }

    /// Checks facts that were queried before the read in flight; returns `nil` if nothing was lost.
    package func looked(_ facts: StreamFacts?) -> FollowMachine.Course? {
        if let course = self.machine.checked(facts) { return course }
        // Before the next batch, which may be in flight for long: a checkpoint saved meanwhile has to hold these facts.
        self.show { _ in }
        return nil
    }

    /// Checks entries that were read and are to be delivered; if they show a gap, they must not be delivered.
    package func read(_ batch: EventBatch, last: EntryID) -> FollowMachine.Course? {
        let first = batch.withEvent(at: 0) { $0.id }
        // The first entries of a stream may be in flight for long, or never be finished. A checkpoint saved meanwhile
        // must not say that there is no stream, or its loss would look as if it had never existed.
        let early =
            self.machine.hasSeenStream || self.owesResets
            ? nil : self.machine.bookmarkInFlight(first: first, last: last)
        if let course = self.machine.read(
            first: first, last: last, count: batch.count, countUpTo: batch.count(upTo:))
        {
            return course
        }
        if let early { self.update { $0.bookmark = early } }
        return nil
    }

    /// Records that the batch read last has its outcomes.
    ///
    /// - Parameters:
    ///   - last: The id of its last entry.
    ///   - proof: The instant up to which the stores hold everything, or `nil` if the reply was full, so that there may
    ///     be more.
    ///   - isOutdated: Whether the read was sent before a stalled batch had its outcomes.
    package func delivered(_ last: EntryID, provenUpTo proof: ContinuousClock.Instant?, isOutdated: Bool = false) {
        self.machine.delivered()
        let isAtEnd = proof != nil && !isOutdated
        self.show { board in
            board.status.cursor = last
            board.status.isCaughtUp = isAtEnd
            board.status.lagEntries = isAtEnd ? 0 : self.machine.detector?.lag
        }
        self.prove(proof)
    }

    /// Records that a read found nothing: everything up to that moment has been processed.
    ///
    /// - Parameters:
    ///   - proof: The instant up to which the stores hold everything.
    ///   - isOutdated: Whether the read was sent before a stalled batch had its outcomes: entries may have arrived
    ///     since.
    /// - Returns: The course to take instead of reading on, or `nil`.
    package func readNothing(
        provenUpTo proof: ContinuousClock.Instant, isOutdated: Bool = false
    ) -> FollowMachine.Course? {
        if let course = self.machine.readNothing() { return course }
        self.show { board in
            guard !isOutdated else { return }
            board.status.isCaughtUp = true
            board.status.lagEntries = 0
        }
        self.prove(proof)
        return nil
    }

    /// Records that the connection was lost. Returns `true` if the stores were emptied for another stream in the
    /// meantime, so that this stream is read again from its beginning.
    @discardableResult
    package func disconnected() -> Bool {
        self.machine.disconnected()
        return self.takeRefill()
    }

    /// Starts over if the stores were emptied for another stream since this one was read; returns whether they were.
    @discardableResult
    package func takeRefill() -> Bool {
        guard self.stores.takeRefill(of: self.index) else { return false }
        self.machine.emptied()
        self.show { $0.status.isCaughtUp = false }
        return true
    }

    /// Responds to a gap as decided, counts it and logs it.
    ///
    /// - Throws: `RedisError` if the gap ends the run.
    package func respond(to gap: Gap, _ response: FollowMachine.Response) throws(RedisError) {
        self.logger.logGap(gap, in: self.settings.stream, self.settings.onGap)
        // In this order, so that no checkpoint can have the old bookmark with new stores.
        self.show { board in
            board.lost(gap)
            board.status.isCaughtUp = false
        }
        switch response {
        case .accept: break
        case .halt:
            throw .halted(by: gap, in: self.settings.stream)
        case .empty:
            self.checkpoint?.discard()
            self.removeAll(reason: gap.kind.rawValue)
        case .keep:
            self.checkpoint?.discard()
            self.stores.removeAllUnswept(by: self.index, reason: gap.kind.rawValue)
            self.owesResets = self.stores.owesResets(of: self.index)
        }
    }

    /// The reason of a reset before keys are read again.
    private static let bootstrap = "bootstrap"

    private func removeAll(reason: String) {
        self.stores.removeAll(by: self.index, reason: reason, refillsOthers: self.settings.bootstrap == .stream)
        self.owesResets = self.stores.owesResets(of: self.index)
    }

    /// Announces that stores were emptied, before anything else is read.
    ///
    /// - Parameter finished: Whether remote stores have completed their removals; see `FedStores`.
    /// - Throws: An error that ends the run.
    func announceResets(finished: Bool) async throws {
        guard self.owesResets else { return }
        try await self.stores.announceResets(of: self.index, finished: finished)
        self.owesResets = self.stores.owesResets(of: self.index)
        self.show { _ in }
    }

    // MARK: Visible state

    private func prove(_ instant: ContinuousClock.Instant?) {
        guard let instant else { return }
        self.stores.prove(at: instant, of: self.index)
    }

    /// Publishes the state after a change of the machine; removes unconfirmed snapshots when the stores are filled.
    private func show(_ change: (inout SourceBoard) -> Void) {
        if self.machine.phase == .following, let entry = self.machine.sweep {
            self.stores.removeSnapshots(before: entry, by: self.index)
            self.owesResets = self.stores.owesResets(of: self.index)
            self.machine.swept()
        }
        let isFilling = self.machine.holdsLookUps
        // Before the board, so that stores that are shown as filled do answer lookups.
        self.stores.setFilling(isFilling, isScanning: self.machine.isScanning, of: self.index)
        self.update { board in
            board.status.isFilling = self.machine.phase != .following
            // A checkpoint must not record the new state of the stores before their resets are announced.
            board.bookmark = self.owesResets ? nil : self.machine.bookmark
            board.epoch = self.machine.epoch
            change(&board)
        }
    }
}

extension EventBatch {
    /// Returns the number of events from entries up to an id.
    func count(upTo id: EntryID) -> Int {
        var (low, high) = (0, self.count)
        while low < high {
            let middle = (low + high) / 2
            if self.withEvent(at: middle, { $0.id }) <= id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
