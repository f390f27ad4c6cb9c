package import StageKit

/// Decides how a stream is followed: where to begin, what to do about a gap, when the stores are filled. Pure.
///
/// The driver connects, asks what `questions` says, gives the answers to `opened` and does what it returns; from then on
/// it reports what it reads. It starts over at `opened` after every gap, and with every connection.
///
/// ```
/// unplaced --opened--> scanning --scanned--> filling --reached--> following
///     ^        |                               ^   |                  |
///     |        +--------- no keys -------------+   +------ gap -------+
///     +------------------------------------------------------------- gap
/// ```
package struct FollowMachine: Sendable, Equatable {
    /// How far it is.
    package enum Phase: Equatable, Sendable {
        /// It is not known where to read.
        case unplaced
        /// Keys are read; the stream is to be followed from behind this id.
        case scanning(EntryID)
        /// The stream is read up to this id, which was its end when the filling began.
        case filling(until: EntryID)
        /// What the stores hold is as new as what was read.
        case following
    }

    /// What to ask a server before reading.
    package struct Questions: Equatable, Sendable {
        /// The id of the last entry.
        package var tail = false
        /// The time.
        package var time = false
        /// Whether this entry is there.
        package var anchor: EntryID?
    }

    /// What a server answered.
    package struct Opening: Equatable, Sendable {
        /// The stream; nil where there is none.
        package var facts: StreamFacts?
        /// Where the start, asked for, lies.
        package var start: EntryID?
        /// Whether the entry asked for is there.
        package var anchor = GapDetector.Anchor.notAsked
        /// The server's run id; nil where not told.
        package var server: String?
        /// Whether the user may not look at the stream, so that `facts` says nothing.
        package var isBlind = false

        /// Nothing is answered yet.
        package init() {}

        /// What a server answered to a user who may look at the stream.
        init(facts: StreamFacts?, start: EntryID?, anchor: GapDetector.Anchor = .notAsked, server: String? = nil) {
            self.facts = facts
            self.start = start
            self.anchor = anchor
            self.server = server
        }
    }

    /// What to do next.
    package enum Course: Equatable, Sendable {
        /// Read behind this id.
        case read(EntryID)
        /// Read keys, as of this id; then report `scanned`. Empty the stores first where an attempt before came to nothing:
        /// nothing tells what it has read from what is read now.
        case scan(EntryID, emptying: Bool)
        /// Something was lost: do this, then open again.
        case gap(Gap, Response)
    }

    /// What to do with the stores about a gap.
    package enum Response: Equatable, Sendable {
        /// Empty them: nothing in them can be relied on.
        case empty
        /// Leave them as they are for now; what is not confirmed goes at the end.
        case keep
        /// Nothing: the gap is accepted.
        case accept
        /// End the run.
        case halt
    }

    private let policy: FollowPolicy
    /// How far it is.
    package private(set) var phase = Phase.unplaced
    /// What is known of the stream; nil before anything is.
    package private(set) var detector: GapDetector?
    /// Snapshots older than this go when the stores are filled again; nil where none have to.
    package private(set) var sweep: EntryID?
    /// Rises with every gap that changes what the stores hold: what was noted before it is not to be mixed with what comes.
    package private(set) var epoch = 0
    /// The newest entry that the stores may have missed: what was replayed from up to there is not known to be newer than
    /// what became of its key.
    package private(set) var historyStart: EntryID
    /// The last entry id that was finished before the stream was read again to confirm stores that are kept over a gap, or
    /// `nil` if the stream is not read for that.
    ///
    /// Only the cursor counts: every stage is done with what is up to it. That a store or a checkpoint holds later entries
    /// proves nothing about their effects. Dropped with the stores' contents, and when ids cannot be compared any more.
    package private(set) var finishedUpTo: EntryID?
    /// Where to begin again after a gap where there are no keys to read; nil before there was one.
    private var restart: EntryID?
    private var keepsStores = false
    /// Whether the stores were filled from keys whose entries are not all read yet.
    private var isUnconfirmed = false
    /// What was known of the stream that the stores are kept from; nil where they are not.
    private var keptMark: StreamMark?

    /// Begins at the start, or where a checkpoint left off, whose stores are filled already up to the mark.
    package init(_ policy: FollowPolicy, resuming mark: StreamMark? = nil) {
        self.policy = policy
        self.detector = mark.map { GapDetector(resuming: $0) }
        self.historyStart = mark?.cursor ?? .zero
    }

    /// The id read up to; nil before it is known.
    package var cursor: EntryID? { self.detector?.mark.cursor }

    /// What a checkpoint of the stores as they are at the cursor has to remember; nil while there can be none.
    package var mark: StreamMark? { self.phase == .following && self.sweep == nil ? self.detector?.mark : nil }

    /// Whether look-ups are not to be answered, as the stores are not as new as what was read.
    package var holdsLookUps: Bool { self.phase != .following && !self.keepsStores }

    /// What has to be known before `opened`.
    package var questions: Questions {
        if let mark = self.detector?.mark ?? self.keptMark {
            return Questions(anchor: mark.isAnchored ? mark.cursor : nil)
        }
        guard self.restart == nil, self.policy.bootstrap == .none else { return Questions() }
        switch self.policy.start {
        case .tail, .resume: return Questions(tail: true)
        case .back: return Questions(time: true)
        case .beginning, .after: return Questions()
        }
    }

    // MARK: What happens

    /// A server has answered the questions, on a new connection or after a gap.
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
        case .filling where self.isUnconfirmed && (answers.server == nil || answers.server != before.mark.server):
            // Another server may have lost what the keys told before their entries were read, and shows no gap then.
            return self.scan(answers)
        case .filling, .following: break
        }
        return .read(self.cursor ?? .zero)
    }

    /// The stream was looked at, before the read that is on its way; nil where all is well.
    package mutating func checked(_ facts: StreamFacts?) -> Course? {
        guard let gap = self.detector?.check(facts) else { return nil }
        return self.respond(to: gap, facts, self.detector?.mark.server)
    }

    /// All keys were read, as of the id that `opened` told.
    package mutating func scanned(_ facts: StreamFacts?) -> Course? {
        if let gap = self.detector?.check(facts) { return self.respond(to: gap, facts, self.detector?.mark.server) }
        self.fill(facts)
        self.isUnconfirmed = self.phase != .following
        return nil
    }

    /// Entries were read; where they show a gap they are not to be handled, as they are read again.
    package mutating func read(first: EntryID, last: EntryID, count: Int, countUpTo: (EntryID) -> Int) -> Course? {
        let before = self.detector
        guard let gap = self.detector?.read(first: first, last: last, count: count, countUpTo: countUpTo) else {
            return nil
        }
        self.detector = before
        return self.respond(to: gap, nil, nil)
    }

    /// What was read last has been handled by the stages.
    package mutating func delivered() {
        if case .filling(let end) = self.phase, let cursor = self.cursor, cursor >= end { self.follow() }
    }

    /// A read found nothing behind the cursor.
    package mutating func readNothing() -> Course? {
        if let gap = self.detector?.readNothing() { return self.respond(to: gap, nil, self.detector?.mark.server) }
        if case .filling = self.phase { self.follow() }
        return nil
    }

    /// What was not confirmed has been taken out of the stores.
    package mutating func swept() {
        self.sweep = nil
        self.keepsStores = false
    }

    /// The connection is gone.
    package mutating func disconnected() {
        self.detector?.disconnected()
    }

    /// The checkpoint that was to be resumed from cannot be used.
    package mutating func lostCheckpoint(_ detail: String) -> Course {
        self.respond(to: Gap(.checkpoint, detail), nil, nil)
    }

    /// The stores were emptied for another stream that feeds them: this one is read again, from its beginning.
    mutating func emptied() {
        self.restart = .zero
        self.keptMark = nil
        self.detector = nil
        self.phase = .unplaced
        self.forget()
    }

    // MARK: Decisions

    /// Whether stores that are kept over a gap still belong to the stream; a gap where they do not.
    private mutating func confirmKept(_ answers: Opening) -> Course? {
        guard let mark = self.keptMark, !answers.isBlind else { return nil }
        var detector = GapDetector(resuming: mark)
        guard let gap = detector.check(answers.facts, anchor: answers.anchor, server: answers.server),
            !gap.kind.keepsHistory
        else { return nil }
        return self.startOver(gap, nil, keepsStores: false)
    }

    /// Finds where to begin.
    private mutating func place(_ answers: Opening) -> Course {
        if self.keepsStores { self.sweep = self.oldestToKeep(answers.facts) }
        self.keptMark = nil
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

    /// Begins to read keys: what they hold is at least as new as the stream's end at this moment.
    private mutating func scan(_ answers: Opening) -> Course {
        let point = answers.facts?.generated ?? .zero
        self.detector = GapDetector(behind: point, answers.facts, server: answers.server)
        self.historyStart = point
        let isAgain = self.phase != .unplaced
        if isAgain { self.forget() }
        // What was there before a gap goes unless it is seen again.
        if self.sweep != nil { self.sweep = point }
        self.phase = .scanning(point)
        return .scan(point, emptying: isAgain)
    }

    /// The stores hold nothing that is kept any more.
    private mutating func forget() {
        self.sweep = nil
        self.keepsStores = false
        self.finishedUpTo = nil
        self.epoch += 1
    }

    /// Everything that was there when the filling began is read.
    private mutating func follow() {
        self.phase = .following
        self.isUnconfirmed = false
    }

    /// Begins to read up to the stream's end, if there is anything to read.
    private mutating func fill(_ facts: StreamFacts?) {
        let end = facts?.last ?? .zero
        let cursor = self.cursor ?? .zero
        self.phase = end > cursor ? .filling(until: end) : .following
    }

    /// The newest entry that the stream may have had and has no more; the greatest id if that cannot be told.
    private func newestMissing(_ answers: Opening) -> EntryID {
        if answers.isBlind {
            // What a read from the tail begins behind is the end of all that is missing.
            return self.policy.start == .tail && self.restart == nil ? .zero : .max
        }
        guard let facts = answers.facts else { return .zero }
        return facts.first?.predecessor ?? facts.generated
    }

    /// The oldest snapshot that filling the stores again can confirm.
    private func oldestToKeep(_ facts: StreamFacts?) -> EntryID {
        if case .keys = self.policy.bootstrap { return facts?.generated ?? .zero }
        guard let facts else { return .max }
        return facts.first ?? facts.generated.next
    }

    private mutating func respond(to gap: Gap, _ facts: StreamFacts?, _ server: String?) -> Course {
        switch self.policy.onGap {
        case .halt: return .gap(gap, .halt)
        case .goOn where gap.kind != .checkpoint:
            // Where this look did not bring facts the next one is taken as it is, too: the mark is not known to be right.
            self.detector?.accept(facts, server: server)
            self.historyStart = max(self.historyStart, self.cursor ?? .zero)
            return .gap(gap, .accept)
        case .goOn, .failClosed: return self.startOver(gap, facts, keepsStores: false)
        case .resync:
            // Stores that were not filled yet have nothing that look-ups could go on with.
            return self.startOver(gap, facts, keepsStores: gap.kind.keepsHistory && !self.holdsLookUps)
        }
    }

    private mutating func startOver(_ gap: Gap, _ facts: StreamFacts?, keepsStores: Bool) -> Course {
        // Without anything to fill the stores from, what is still behind the cursor is all there is; of another stream,
        // all of it. To confirm what the stores hold, the stream is read from its beginning.
        let goesOn = gap.kind.keepsHistory && !keepsStores && self.policy.bootstrap == .none
        if gap.kind != .checkpoint { self.restart = goesOn ? self.cursor : .zero }
        // A second gap while the stream is read again finds the cursor before what was finished.
        self.finishedUpTo = keepsStores ? max(self.finishedUpTo ?? .zero, self.cursor ?? .zero) : nil
        self.keptMark = keepsStores ? self.detector?.mark : nil
        if let facts { self.keptMark?.generated.raise(to: facts.generated) }
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
    /// Takes a greater id's value.
    fileprivate mutating func raise(to other: EntryID) { self = Swift.max(self, other) }

    /// The id behind this one; the last one stays.
    fileprivate var next: EntryID {
        if self.sequence < .max { return EntryID(milliseconds: self.milliseconds, sequence: self.sequence + 1) }
        return self.milliseconds < .max ? EntryID(milliseconds: self.milliseconds + 1, sequence: 0) : self
    }
}
