import ComponentKit
import RedisStreams
import StageKit

// Reads, and what comes of them.
extension Worker {
    func startReading(behind id: EntryID) {
        self.doing = .reading
        self.checked = self.life.time
        self.following = nil
        self.isFirstRead = true
        self.asked = self.ask(behind: id, isPrompt: true)
    }

    func ask(behind id: EntryID, isPrompt: Bool) -> ReadTimes {
        let block = isPrompt ? 1 : self.plan.readBlock
        let isNew = self.bug == .tailAtFirstRead && self.isFirstRead && self.plan.settings.start == .tail
        self.wire?.send(isNew ? .readNew(block: block) : .read(behind: id, block: block))
        self.isFirstRead = false
        return ReadTimes(sent: Life.instant(self.life.time), block: .milliseconds(block))
    }

    func take(read reply: Reply) throws {
        if case .look(let facts, let time, let lineage) = reply {
            self.lineage = lineage
            let hadSample = self.machine.detector?.sample != nil
            if case .gap(let gap, let response) = self.follower.looked(facts) {
                return try self.gap(gap, response, at: time)
            }
            return try self.looked(facts, at: time, hadSample: hadSample)
        }
        let now = Life.instant(self.life.time)
        if self.life.time - self.checked >= self.plan.checkInterval, self.bug != .noPeriodicCheck {
            self.checked = self.life.time
            if self.bug == .lookOutOfTurn {
                if case .gap(let gap, let response) = self.follower.looked(self.life.server.facts) {
                    return try self.gap(gap, response, at: self.life.time)
                }
            } else {
                self.wire?.send(.look)
            }
        }
        switch reply {
        case .entries(let entries, let time): try self.take(entries, time, now)
        case .nothing:
            let proof = self.asked.proofOfNothing(answered: now)
            self.asked = self.ask(behind: self.cursor, isPrompt: false)
            if case .gap(let gap, let response) = self.follower.readNothing(provenUpTo: proof) {
                return try self.gap(gap, response, at: nil)
            }
            self.retry.succeeded(isAtEnd: true)
            try self.counted(readAt: self.life.time)
        default: break
        }
    }

    func take(_ entries: [ModelEntry], _ time: Int, _ now: ContinuousClock.Instant) throws {
        let last = entries[entries.count - 1].id
        let isFull = entries.count == self.plan.settings.readCount
        let isPrompt = self.asked.asksAtOnce(
            isFull: isFull, answered: now, maxStaleness: self.plan.settings.maxStaleness)
        if entries.count > self.plan.firstWorkedOn { self.following = self.ask(behind: last, isPrompt: isPrompt) }
        let before = self.machine.detector
        self.life.received += entries.count
        if case .gap(let gap, let response) = self.follower.read(self.fill(entries), last: last) {
            self.life.refused += entries.count
            return try self.gap(gap, response, at: nil)
        }
        // What went between the first look and the first read is not missed.
        if before?.bookmark.baseline != nil, before?.bookmark.entriesRead != nil,
            self.machine.detector?.bookmark.entriesRead == nil
        {
            self.pending = nil
            self.life.forgive(at: time)
        }
        let proof = self.asked.proof(isFull: isFull)
        self.batch = Batch(
            entries: entries, read: time, proof: proof, isPrompt: isPrompt, finishedUpTo: self.finishedUpTo(entries))
        if self.bug == .checkpointAhead { self.follower.delivered(last, provenUpTo: proof) }
        if self.bug == .proofOnArrival, let proof { self.store.freshness?.prove(at: proof) }
    }

    func fill(_ entries: [ModelEntry]) -> EventBatch {
        self.ids.removeAll()
        for entry in entries { self.ids.appendEntry(entry.id) }
        return self.ids
    }

    // MARK: Handing to the stages

    /// Has the stages work on the batch for a while, and goes on behind it when they are done: the store takes all entries
    /// first, then the stage behind it does its work on those that wait there.
    func work() throws {
        guard var batch = self.batch else { return }
        if batch.done < batch.entries.count {
            let entry = batch.entries[batch.done]
            let goesOn = try self.life.deliver(entry, as: batch.point, finishedUpTo: batch.finishedUpTo, self)
            // Keys are no entries: what they stand for has its effect when it is read.
            if goesOn, batch.point == nil { batch.waiting.append(entry) }
            batch.done += 1
            self.batch = batch
            if batch.done < batch.entries.count { return }
            if self.bug == .cursorBeforeEffects, batch.point == nil { self.delivered(batch) }
        }
        guard try self.takeEffect() else { return }
        self.batch = nil
        defer { if self.isCut { self.cut() } }
        if let point = batch.point { return self.scannedSome(point) }
        guard let last = batch.entries.last?.id else { return }
        try self.life.ended(batch.entries)
        self.asked = self.following ?? self.ask(behind: last, isPrompt: batch.isPrompt)
        self.following = nil
        if self.bug != .checkpointAhead, self.bug != .cursorBeforeEffects { self.delivered(batch) }
        self.retry.succeeded(isAtEnd: batch.proof != nil)
        try self.counted(readAt: batch.read)
    }

    private func delivered(_ batch: Batch) {
        if let last = batch.entries.last?.id { self.follower.delivered(last, provenUpTo: batch.proof) }
    }

    /// Has the stage behind the store work on the events that wait, in order, until it fails or something else is to happen;
    /// whether none waits any more.
    private func takeEffect() throws -> Bool {
        while let entry = self.batch?.waiting.first {
            switch self.life.attempt(entry) {
            case .done:
                try self.life.took(entry)
                self.batch?.waiting.removeFirst()
            case .failed:
                if self.bug == .triedAgainBehind, let first = self.batch?.waiting.removeFirst() {
                    self.batch?.waiting.append(first)
                }
                return false
            case .halted:
                self.life.stop()
                return false
            }
            if self.life.random.percent(30) { break }
        }
        return self.batch?.waiting.isEmpty ?? true
    }

    func scannedSome(_ point: EntryID) {
        if self.nextKey < Life.sessions { return self.askKeys() }
        self.doing = .looking(point)
        self.wire?.send(.look)
    }
}
