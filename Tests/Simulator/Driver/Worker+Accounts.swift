import RedisClient
import RedisStreams
import StageKit

/// What a worker knew of the stream when a query of its facts found nothing wrong.
struct StreamObservation {
    /// When the server answered.
    var time: Int
    /// The stream that it was.
    var lineage: Int?
    /// What the server told.
    var facts: StreamFacts?
    /// Whether the entry at the cursor was there, if that was asked.
    var anchor: GapDetector.Anchor
    /// The worker's bookmark, with this look.
    var bookmark: StreamBookmark?
    /// Whether the server was restarted since the look before.
    var isRestarted: Bool
    /// How many entries were removed at the look before, if the server tells.
    var removedBefore: UInt64?
}

// What is known to be accounted for, and what is lost.
extension Worker {
    /// A look found nothing wrong.
    func looked(_ facts: StreamFacts?, at time: Int, hadSample: Bool) throws {
        guard !self.opening.isBlind else { return }
        // What is not known to count from nothing is taken as it is when it is seen first.
        if facts != nil, self.life.known?.isSeen == false, self.life.known?.entriesRead == nil {
            self.life.forgive(at: time)
        }
        if let lineage { self.life.saw(lineage, at: time) }
        let observation = self.observation(facts, at: time)
        guard self.plan.tellsCounts else { return try self.life.sawBySight(facts, observation, self.machine) }
        if hadSample { return }
        if self.machine.detector?.sample == nil {
            try self.life.accountedFor(observation, self.machine)
        } else {
            self.pending = (observation, self.machine.detector?.bookmark.entriesRead != nil)
        }
    }

    /// What is known with a look that found nothing wrong.
    func observation(_ facts: StreamFacts?, at time: Int) -> StreamObservation {
        let bookmark = self.machine.detector?.bookmark
        let server = self.life.known?.server
        let observation = StreamObservation(
            time: time, lineage: self.lineage, facts: facts,
            anchor: self.doing == .opening ? self.opening.anchor : .notAsked, bookmark: bookmark,
            isRestarted: server != nil && server != bookmark?.server, removedBefore: self.life.ledger.epoch?.removed)
        self.life.ledger.epoch?.removed = facts?.removed
        return observation
    }

    /// Entries that were there at that time were counted, or there were none.
    func counted(readAt time: Int) throws {
        guard let pending, self.machine.detector?.sample == nil else { return }
        self.pending = nil
        if !self.plan.tellsCounts { return }
        if pending.isCounted {
            try self.life.accountedFor(pending.observation, self.machine)
        } else {
            self.life.forgive(at: time)
        }
    }

    /// Does what was decided about a gap.
    func gap(_ gap: Gap, _ response: FollowMachine.Response, at time: Int?) throws {
        self.life.note("gap \(gap.kind): \(gap.detail), \(response)")
        try self.life.told(gap, self)
        let cursor = self.cursor
        self.hangUp()
        do throws(RedisError) {
            let isWrong = self.bug == .storesKeptOverGap && response == .empty
            try self.follower.respond(to: gap, isWrong ? .keep : response)
        } catch {
            self.doing = .stopped
            return
        }
        switch response {
        case .empty: self.life.emptied()
        case .accept:
            if let time { self.life.accept(at: time, cursor) } else { self.acceptsNext = true }
        case .keep: self.life.kept()
        case .halt: break
        }
        self.wait(self.retry.delayAfterGap(using: &self.life.random))
    }
}
