import ComponentKit
import RedisStreams
import StageKit

// What the worker tells, and whether it is so.
extension Life {
    /// A point of the worker's time.
    static func instant(_ time: Int) -> ContinuousClock.Instant { self.origin + .milliseconds(time) }

    /// Whole milliseconds.
    static func milliseconds(_ duration: Duration) -> Int {
        Int(duration.components.seconds) * 1000 + Int(duration.components.attoseconds / 1_000_000_000_000_000)
    }

    // MARK: What happens to what has to be known

    /// An entry, or a key as of one moment, goes to the store; whether its event goes on to the next stage.
    func deliver(
        _ entry: ModelEntry, as point: EntryID?, finishedUpTo: EntryID?, _ worker: Worker
    ) throws -> Bool {
        self.isDirty = true
        let held = self.ledger.epoch?.held ?? Array(repeating: nil, count: Self.sessions)
        let goesOn = try worker.store.apply(
            entry, as: point ?? entry.id, held: held, finishedUpTo: finishedUpTo,
            isOvertaken: self.random.percent(self.plan.overtaken))
        if let point {
            self.ledger.apply(Held(id: point, state: entry.state, serial: entry.serial), to: entry.session)
        } else {
            self.handedOn += 1
            self.ledger.deliver(entry)
        }
        return goesOn
    }

    /// The store was emptied.
    func emptied() {
        (self.isDirty, self.keeps, self.sweep) = (true, false, nil)
        self.ledger.epoch?.held = Array(repeating: nil, count: Self.sessions)
    }

    /// The store is kept over a gap.
    func kept() { self.keeps = true }

    /// The worker was placed: from now on everything behind this id is due.
    func begin(behind id: EntryID, _ facts: StreamFacts?, at time: Int, isScan: Bool) {
        self.note("placed behind \(id), with the store kept: \(self.keeps)")
        self.effects.placed(behind: id, keepsStores: self.keeps)
        let held = self.ledger.epoch?.held ?? Array(repeating: nil, count: Self.sessions)
        var epoch = Ledger.Epoch(began: time, cursor: id, held: held)
        epoch.filledFrom = isScan || self.keeps ? nil : time
        epoch.isScanned = isScan
        epoch.last = id
        epoch.removed = facts?.removed
        if self.keeps, let before = self.ledger.epoch {
            epoch.kept = before.kept.union(before.delivered)
            epoch.keptCursor = max(before.last, before.keptCursor)
        }
        self.ledger.epoch = epoch
        guard self.keeps else { return }
        // What the stream, or the keys, cannot confirm goes.
        self.keeps = false
        self.sweep =
            isScan
            ? id
            : facts.map {
                $0.first ?? EntryID(milliseconds: $0.generated.milliseconds, sequence: $0.generated.sequence + 1)
            } ?? .max
    }

    /// Whatever was there at this moment has to be held before look-ups are answered.
    func filled(at time: Int) {
        if self.sweep == nil, self.ledger.epoch?.isAccepting == false { self.ledger.epoch?.filledFrom = time }
    }

    /// What went up to this moment is not missed: nobody could have counted it.
    func forgive(at time: Int) {
        self.note("what went up to \(time) is not missed")
        if let began = self.ledger.epoch?.began, began < time { self.ledger.epoch?.began = time }
        if let last = self.ledger.epoch?.last { self.ledger.epoch?.uncounted = (time, last) }
    }

    /// The worker was told of a stream, as it was at that time.
    func saw(_ lineage: Int, at time: Int) { self.ledger.see(lineage, at: time) }

    /// A gap was accepted: the reading goes on behind the cursor, and what went up to this moment is not missed.
    func accept(at time: Int, _ cursor: EntryID) {
        self.forgive(at: time)
        self.ledger.epoch?.cursor = cursor
        self.ledger.epoch?.isAccepting = true
        self.ledger.epoch?.seen = []
        self.ledger.epoch?.found = []
        self.ledger.epoch?.removed = nil
        self.ledger.epoch?.placed = time
        self.ledger.epoch?.filledFrom = nil
    }

    // MARK: What has to be told

    /// A gap was told: there must be a reason.
    func told(_ gap: Gap, _ worker: Worker) throws {
        self.gaps[gap.kind, default: 0] += 1
        guard self.plan.tellsCounts, gap.kind != .checkpoint, let bookmark = self.known else { return }
        let isInDoubt = bookmark.entriesRead == nil || bookmark.server != self.server.runID
        if !isInDoubt, !self.ledger.hasLoss { throw Violation("nothing was lost, and a gap is told: \(gap)") }
    }

    /// Everything that was lost up to this moment, and can be counted, has to have been told.
    func accountedFor(_ observation: StreamObservation, _ machine: FollowMachine) throws {
        self.accounted = max(self.accounted, observation.time)
        try self.judge(self.ledger.untold(by: observation.time, cursor: machine.cursor ?? .zero), observation)
    }

    /// What is lost and can be seen without counting has to have been told.
    func sawBySight(_ facts: StreamFacts?, _ observation: StreamObservation, _ machine: FollowMachine) throws {
        self.accounted = max(self.accounted, observation.time)
        // Where there was no stream before, nobody can say what it began with.
        guard let facts, let known = self.known, known.isSeen else { return }
        let cursor = machine.cursor ?? .zero
        // Neither what it began with before the first read, if it did not exist then.
        let reachesBeyond = facts.first.map { $0 > cursor && $0 != known.baseline } ?? false
        let cameAndWent = (facts.last ?? .zero) <= cursor && facts.generated > max(cursor, known.generated)
        guard reachesBeyond || cameAndWent else { return }
        // What was deleted in the middle is not to be seen.
        let limit = reachesBeyond ? facts.first ?? .max : .max
        try self.judge(self.ledger.untold(by: observation.time, cursor: cursor, below: limit), observation)
    }

    private func judge(_ untold: Ledger.Untold?, _ observation: StreamObservation) throws {
        guard let untold else { return }
        guard let reason = self.untellable(untold.fate, observation) else { throw untold.violation }
        self.note("untellable: \(reason): \(untold.violation)")
        self.isUntellable = true
    }

    /// Why a look could not show that an entry was lost, as `Guarantees.md` says; nil if it could.
    private func untellable(_ fate: Fate, _ observation: StreamObservation) -> String? {
        guard let bookmark = observation.bookmark, let facts = observation.facts, let lineage = observation.lineage,
            let epoch = self.ledger.epoch
        else { return nil }
        // A stream that begins behind the cursor has the right count if as many were removed, whichever they were.
        let isBehind = facts.first.map { $0 > bookmark.cursor } ?? true
        let isCountRight = bookmark.entriesRead.map {
            self.ledger.added(to: lineage, upTo: bookmark.cursor) == $0 || (isBehind && facts.removed == $0)
        }
        let isTwin = self.ledger.fates.contains {
            $0.entry.id == bookmark.cursor && $0.entry.id > epoch.cursor && $0.entry.lineage == lineage
                && $0.isThere(at: observation.time) && !epoch.delivered.contains($0.entry.serial)
        }
        if isTwin, isCountRight ?? true { return "the id that was read last was given again" }
        let isOther = fate.isLostWrite || epoch.seen.contains { $0 != lineage }
        if isOther, isCountRight == true, !self.showsOther(observation, facts, bookmark) {
            return "another stream, with exactly as many entries up to the cursor as were there before"
        }
        if fate.cameBack != nil, fate.entry.id <= bookmark.cursor, let removed = facts.removed,
            removed >= observation.removedBefore ?? .max
        {
            return "the removal of an entry was undone, and as many others were removed since"
        }
        return nil
    }

    /// Whether a look shows that it is another stream although the counts are right: by the entry at the cursor, or by
    /// a restart if the stream begins behind the cursor.
    private func showsOther(
        _ observation: StreamObservation, _ facts: StreamFacts, _ bookmark: StreamBookmark
    ) -> Bool {
        guard let first = facts.first else { return false }
        if first > bookmark.cursor { return observation.isRestarted }
        return observation.anchor == .absent && bookmark.isAnchored && facts.deleted ?? .zero < bookmark.cursor
    }

    // MARK: What has to be so at all times

    /// Holds everything that can be seen against what is true.
    func check() throws {
        guard let worker = self.worker else { return }
        if let broken = self.broken { throw broken }
        self.known = worker.machine.detector?.bookmark
        if let sweep = self.sweep, worker.machine.phase == .following {
            self.ledger.sweep(before: sweep)
            (self.sweep, self.isDirty) = (nil, true)
        }
        let inHand = worker.batch.map { $0.point == nil ? $0.entries.count - $0.done : 0 } ?? 0
        if self.received != self.refused + self.handedOn + self.cutOff + inHand {
            throw Violation("\(self.received) entries were read, and not as many have an outcome")
        }
        if let bookmark = worker.bookmark, let last = self.ledger.epoch?.last, bookmark.cursor > last {
            throw Violation("the cursor is \(bookmark.cursor), and nothing behind \(last) is applied")
        }
        if let bookmark = worker.bookmark, bookmark.cursor > self.effects.finishedUpTo {
            throw Violation("the cursor is \(bookmark.cursor), and effects are done up to \(self.effects.finishedUpTo)")
        }
        try self.checkStore(worker)
    }

    private func checkStore(_ worker: Worker) throws {
        if self.isDirty, let held = self.ledger.epoch?.held {
            self.isDirty = false
            for session in 0..<Self.sessions where !worker.store.holds(held[session], session) {
                throw Violation(
                    "session \(session) should be \(held[session].map { "\($0)" } ?? "absent"), and is "
                        + "\(worker.store.found(session).map { "\($0)" } ?? "absent")")
            }
        }
        guard let freshness = worker.store.freshness, !freshness.isBeingFilled else { return }
        if let violation = self.ledger.unfilled { throw violation }
        if let proof = freshness.proven {
            let time = Self.milliseconds(proof - Self.origin)
            if let violation = self.ledger.missing(at: time) { throw violation }
        }
    }

    /// Whether a key was last changed with an entry of a stream that came and went unseen.
    private func cameAndWent(_ key: ModelServer.Key?) -> Bool {
        self.ledger.fates.contains { fate in
            fate.undone != nil && self.ledger.epoch?.seen.contains(fate.entry.lineage) == false
                && (key == nil ? fate.entry.state == .malformed : fate.entry.serial == key?.serial)
        }
    }

    /// Whether a key was last changed with an entry below the id that keys were read as of, in a stream that was made by hand
    /// since and has exactly as many entries up to there as the one before: nothing tells of it.
    private func isBelowTheScan(_ key: ModelServer.Key?) -> Bool {
        guard let key, let epoch = self.ledger.epoch else { return false }
        let fate = self.ledger.fates[key.serial]
        guard fate.added > epoch.began, fate.entry.id <= epoch.cursor else { return false }
        let count = self.ledger.added(to: fate.entry.lineage, upTo: epoch.cursor)
        return epoch.seen.contains {
            $0 != fate.entry.lineage && self.ledger.added(to: $0, upTo: epoch.cursor) == count
        }
    }

    /// The store has to hold what the keys hold, where it was filled from them.
    func checkKeys() throws {
        guard self.plan.scansKeys, self.plan.tellsCounts, let epoch = self.ledger.epoch, epoch.isScanned,
            !epoch.isAccepting
        else { return }
        for session in 0..<Self.sessions {
            let held = epoch.held[session].flatMap { $0.state == .malformed ? nil : $0.serial }
            // What a checkpoint had beyond its cursor is not missed where a failover has lost it: nothing tells of it.
            if epoch.ahead.contains(session), let held, self.ledger.fates[held].isLostWrite { continue }
            let key = self.server.keys[session]
            if held != key?.serial, !self.cameAndWent(key), !self.isBelowTheScan(key) {
                throw Violation(
                    "session \(session) is \(String(describing: epoch.held[session])), and its key "
                        + "\(String(describing: self.server.keys[session]))")
            }
        }
    }
}
