package import StageKit

/// Decides how a stream is followed: where to begin, how to respond to a gap, and when the stores are filled. Pure.
///
/// The driver connects, sends the queries in `questions`, passes the replies to `opened` and takes the returned course.
/// From then on it reports the entries that it reads. After every gap, and with every connection, it starts again at
/// `opened`.
///
/// ```
/// unplaced --opened--> scanning --scanned--> filling --reached--> following
///     ^        |                               ^   |                  |
///     |        +--------- no keys -------------+   +------ gap -------+
///     +------------------------------------------------------------- gap
/// ```
package struct FollowMachine: Sendable, Equatable {
    /// The progress of the machine.
    package enum Phase: Equatable, Sendable {
        /// The id at which to begin is not known yet.
        case unplaced
        /// Keys are being read; afterwards the stream is followed, beginning after this id.
        case scanning(EntryID)
        /// The stream is being read up to this id, which was its end when filling began.
        case filling(until: EntryID)
        /// The stores are as recent as the entries that were read.
        case following
    }

    /// The queries to send to a server before reading.
    package struct Questions: Equatable, Sendable {
        /// Whether to query the id of the last entry.
        package var tail = false
        /// Whether to query the server's time.
        package var time = false
        /// The entry whose existence to query, or `nil`.
        package var anchor: EntryID?
    }

    /// The server's replies.
    package struct Opening: Equatable, Sendable {
        /// The facts of the stream, or `nil` if it does not exist.
        package var facts: StreamFacts?
        /// The id of the configured start, if it was queried.
        package var start: EntryID?
        /// Whether the queried entry exists.
        package var anchor = GapDetector.Anchor.notAsked
        /// The server's run id, or `nil` if not reported.
        package var server: String?
        /// Whether the user lacks permission to query the stream, so that `facts` is meaningless.
        package var isBlind = false

        /// Creates an opening without replies.
        package init() {}

        /// Creates the replies for a user who may query the stream.
        init(facts: StreamFacts?, start: EntryID?, anchor: GapDetector.Anchor = .notAsked, server: String? = nil) {
            self.facts = facts
            self.start = start
            self.anchor = anchor
            self.server = server
        }
    }

    /// The next step.
    package enum Course: Equatable, Sendable {
        /// Read after this id.
        case read(EntryID)
        /// Read keys, as of this id, then report `scanned`. Empty the stores first if an earlier attempt was not
        /// completed: its snapshots cannot be distinguished from those read now.
        case scan(EntryID, emptying: Bool)
        /// Entries were lost: carry out the response, then open again.
        case gap(Gap, Response)
    }

    /// How to handle the stores after a gap.
    package enum Response: Equatable, Sendable {
        /// Empty them: their contents are unreliable.
        case empty
        /// Keep them for now; unconfirmed snapshots are removed at the end.
        case keep
        /// Do nothing: the gap is accepted.
        case accept
        /// End the run.
        case halt
    }

    private let policy: FollowPolicy
    /// The current phase.
    package private(set) var phase = Phase.unplaced
    /// The known state of the stream, or `nil` before anything is known.
    package private(set) var detector: GapDetector?
    /// Snapshots older than this are removed once the stores are refilled; `nil` if none have to be removed.
    package private(set) var sweep: EntryID?
    /// Increases with every gap that changes the contents of the stores; state from before the gap must not be mixed
    /// with state from after it.
    package private(set) var epoch = 0
    /// The newest entry that the stores may have missed. An event replayed from an entry up to this one is not known to
    /// be newer than the latest state of its key.
    package private(set) var historyStart: EntryID
    /// The last entry id that was finished before the stream was read again to confirm stores that are kept over a gap,
    /// or `nil` if the stream is not being read for that.
    ///
    /// Only the cursor counts: every stage has finished the entries up to it. Later entries in a store or a checkpoint
    /// prove nothing about their effects. Cleared with the stores' contents, and when ids can no longer be compared.
    package private(set) var finishedUpTo: EntryID?
    /// The id after which reading restarts if there was a gap and there are no keys to read, or `nil` before any gap.
    private var restart: EntryID?
    private var keepsStores = false
    /// Whether the stores were filled from keys whose entries have not all been read yet.
    private var isUnconfirmed = false
    /// The last bookmark of the stream that the kept stores were built from, or `nil` if no stores are kept.
    private var keptBookmark: StreamBookmark?

    /// Creates a machine that begins at the start, or at the bookmark of a checkpoint, whose stores are already filled
    /// up to it.
    package init(_ policy: FollowPolicy, resuming bookmark: StreamBookmark? = nil) {
        self.policy = policy
        self.detector = bookmark.map { GapDetector(resuming: $0) }
        self.historyStart = bookmark?.cursor ?? .zero
    }

    /// The id up to which entries were read, or `nil` before it is known.
    package var cursor: EntryID? { self.detector?.bookmark.cursor }

    /// The bookmark for a checkpoint of the stores at the cursor, or `nil` while no checkpoint is possible.
    package var bookmark: StreamBookmark? {
        self.phase == .following && self.sweep == nil ? self.detector?.bookmark : nil
    }

    /// Returns the bookmark for a checkpoint of a new stream while its first entries are in flight, or `nil` if
    /// `bookmark` is still right or no checkpoint is possible. Call before `read`.
    package func bookmarkInFlight(first: EntryID, last: EntryID) -> StreamBookmark? {
        self.hasSeenStream ? nil : self.bookmark?.expecting(first, last)
    }

    /// Whether the detector knows the stream from a read or a check. Part of the read path: nothing is copied.
    package var hasSeenStream: Bool { self.detector?.bookmark.isSeen != false }

    /// Whether lookups must not be answered, because the stores are not as recent as the entries that were read.
    package var holdsLookUps: Bool { self.phase != .following && !self.keepsStores }

    /// Whether keys are being read, which arrive in no particular order.
    package var isScanning: Bool { if case .scanning = self.phase { true } else { false } }

    /// The queries to send before `opened`.
    package var questions: Questions {
        if let bookmark = self.detector?.bookmark ?? self.keptBookmark {
            return Questions(anchor: bookmark.isAnchored ? bookmark.cursor : nil)
        }
        guard self.restart == nil, self.policy.bootstrap == .none else { return Questions() }
        switch self.policy.start {
        case .tail, .resume: return Questions(tail: true)
        case .back: return Questions(time: true)
        case .beginning, .after: return Questions()
        }
    }

    // MARK: Events

    /// Handles a server's replies to the queries, on a new connection or after a gap.
    package mutating func opened(_ answers: Opening) -> Course {
        guard let before = self.detector else { return self.confirmKept(answers) ?? self.place(answers) }
        if !answers.isBlind,
            let gap = self.detector?.check(answers.facts, anchor: answers.anchor, server: answers.server)
        {
            return self.respond(to: gap, answers.facts, answers.server)
        }
        switch self.phase {
        case .scanning: return self.scan(answers)
        case .unplaced: self.fill(answers.facts)
        case .filling where self.isUnconfirmed && (answers.server == nil || answers.server != before.bookmark.server):
            // Another server may have lost changes that the keys showed before their entries were read, without showing
            // a gap.
            return self.scan(answers)
        case .filling, .following: break
        }
        return .read(self.cursor ?? .zero)
    }

    /// Checks facts that were queried before the read in flight; returns `nil` if nothing was lost.
    package mutating func checked(_ facts: StreamFacts?) -> Course? {
        guard let gap = self.detector?.check(facts) else { return nil }
        return self.respond(to: gap, facts, self.detector?.bookmark.server)
    }

    /// Records that all keys were read, as of the id that `opened` returned; returns `nil` if nothing was lost.
    package mutating func scanned(_ facts: StreamFacts?) -> Course? {
        if let gap = self.detector?.check(facts) { return self.respond(to: gap, facts, self.detector?.bookmark.server) }
        self.fill(facts)
        self.isUnconfirmed = self.phase != .following
        return nil
    }

    /// Checks entries that were read. If they show a gap, they must not be processed, because they are read again.
    package mutating func read(first: EntryID, last: EntryID, count: Int, countUpTo: (EntryID) -> Int) -> Course? {
        let before = self.detector
        guard let gap = self.detector?.read(first: first, last: last, count: count, countUpTo: countUpTo) else {
            return nil
        }
        self.detector = before
        return self.respond(to: gap, nil, nil)
    }

    /// Records that the stages have processed the entries read last.
    package mutating func delivered() {
        if case .filling(let end) = self.phase, let cursor = self.cursor, cursor >= end { self.follow() }
    }

    /// Records that a read found nothing after the cursor; returns `nil` if nothing was lost.
    package mutating func readNothing() -> Course? {
        if let gap = self.detector?.readNothing() { return self.respond(to: gap, nil, self.detector?.bookmark.server) }
        if case .filling = self.phase { self.follow() }
        return nil
    }

    /// Records that unconfirmed snapshots were removed from the stores.
    package mutating func swept() {
        self.sweep = nil
        self.keepsStores = false
    }

    /// Records that the connection was lost.
    package mutating func disconnected() {
        self.detector?.disconnected()
    }

    /// Responds to a checkpoint that cannot be resumed from.
    package mutating func lostCheckpoint(_ detail: String) -> Course {
        self.respond(to: Gap(.checkpoint, detail), nil, nil)
    }

    /// Records that the stores were emptied for another stream that feeds them; this stream is read again from its
    /// beginning.
    mutating func emptied() {
        self.restart = .zero
        self.keptBookmark = nil
        self.detector = nil
        self.phase = .unplaced
        self.forget()
    }

    // MARK: Decisions

    /// Checks whether stores that are kept over a gap still belong to the stream; returns a gap if they do not.
    private mutating func confirmKept(_ answers: Opening) -> Course? {
        guard let bookmark = self.keptBookmark, !answers.isBlind else { return nil }
        var detector = GapDetector(resuming: bookmark)
        guard let gap = detector.check(answers.facts, anchor: answers.anchor, server: answers.server),
            !gap.kind.keepsHistory
        else { return nil }
        return self.startOver(gap, nil, keepsStores: false)
    }

    /// Determines where to begin.
    private mutating func place(_ answers: Opening) -> Course {
        if self.keepsStores { self.sweep = self.oldestToKeep(answers.facts) }
        self.keptBookmark = nil
        if case .keys = self.policy.bootstrap { return self.scan(answers) }
        let cursor: EntryID
        if let restart = self.restart {
            cursor = restart
        } else if self.policy.bootstrap == .stream {
            cursor = .zero
        } else {
            cursor = answers.start ?? .zero
        }
        self.detector = GapDetector(behind: cursor, answers.facts, server: answers.server)
        self.historyStart = max(cursor, self.newestMissing(answers))
        self.fill(answers.facts)
        return .read(cursor)
    }

    /// Begins to read keys; their values are at least as recent as the end of the stream at this moment.
    private mutating func scan(_ answers: Opening) -> Course {
        let point = answers.facts?.generated ?? .zero
        self.detector = GapDetector(behind: point, answers.facts, server: answers.server)
        self.historyStart = point
        let isAgain = self.phase != .unplaced
        if isAgain { self.forget() }
        // Snapshots from before a gap are removed unless they are seen again.
        if self.sweep != nil { self.sweep = point }
        self.phase = .scanning(point)
        return .scan(point, emptying: isAgain)
    }

    /// Clears the state of kept stores, because they no longer hold anything that is kept.
    private mutating func forget() {
        self.sweep = nil
        self.keepsStores = false
        self.finishedUpTo = nil
        self.epoch += 1
    }

    /// Records that everything that existed when filling began was read.
    private mutating func follow() {
        self.phase = .following
        self.isUnconfirmed = false
    }

    /// Begins to read up to the end of the stream, if there is anything to read.
    private mutating func fill(_ facts: StreamFacts?) {
        let end = facts?.last ?? .zero
        let cursor = self.cursor ?? .zero
        self.phase = end > cursor ? .filling(until: end) : .following
    }

    /// Returns the newest entry that the stream may have had and no longer has, or the greatest id if that is unknown.
    private func newestMissing(_ answers: Opening) -> EntryID {
        if answers.isBlind {
            // A read from the tail begins after all missing entries.
            return self.policy.start == .tail && self.restart == nil ? .zero : .max
        }
        guard let facts = answers.facts else { return .zero }
        return facts.first?.predecessor ?? facts.generated
    }

    /// Returns the oldest snapshot that refilling the stores can confirm.
    private func oldestToKeep(_ facts: StreamFacts?) -> EntryID {
        if case .keys = self.policy.bootstrap { return facts?.generated ?? .zero }
        guard let facts else { return .max }
        return facts.first ?? facts.generated.next
    }

    private mutating func respond(to gap: Gap, _ facts: StreamFacts?, _ server: String?) -> Course {
        switch self.policy.onGap {
        case .halt: return .gap(gap, .halt)
        case .goOn where gap.kind != .checkpoint:
            // Without facts in this reply, the next ones are accepted too, because the bookmark is not known to be
            // correct.
            self.detector?.accept(facts, server: server)
            self.historyStart = max(self.historyStart, self.cursor ?? .zero)
            return .gap(gap, .accept)
        case .goOn, .failClosed: return self.startOver(gap, facts, keepsStores: false)
        case .resync:
            // Stores that were not filled yet hold nothing that lookups could continue with.
            return self.startOver(gap, facts, keepsStores: gap.kind.keepsHistory && !self.holdsLookUps)
        }
    }

    private mutating func startOver(_ gap: Gap, _ facts: StreamFacts?, keepsStores: Bool) -> Course {
        // If there is nothing to fill the stores from, only the entries after the cursor are left to read, or all
        // entries if it is another stream. To confirm the contents of the stores, the stream is read from its
        // beginning.
        let goesOn = gap.kind.keepsHistory && !keepsStores && self.policy.bootstrap == .none
        if gap.kind != .checkpoint { self.restart = goesOn ? self.cursor : .zero }
        // At a second gap while the stream is read again, the cursor is before the last finished entry.
        self.finishedUpTo = keepsStores ? max(self.finishedUpTo ?? .zero, self.cursor ?? .zero) : nil
        self.keptBookmark = keepsStores ? self.detector?.bookmark : nil
        if let facts { self.keptBookmark?.generated.raise(to: facts.generated) }
        self.detector = nil
        self.phase = .unplaced
        self.sweep = nil
        self.isUnconfirmed = false
        self.keepsStores = keepsStores
        self.epoch += 1
        return .gap(gap, keepsStores ? .keep : .empty)
    }
}

extension EntryID {
    /// Raises the id to a greater one.
    fileprivate mutating func raise(to other: EntryID) { self = Swift.max(self, other) }

    /// The id after this one; the greatest id is returned unchanged.
    fileprivate var next: EntryID {
        if self.sequence < .max { return EntryID(milliseconds: self.milliseconds, sequence: self.sequence + 1) }
        return self.milliseconds < .max ? EntryID(milliseconds: self.milliseconds + 1, sequence: 0) : self
    }
}
