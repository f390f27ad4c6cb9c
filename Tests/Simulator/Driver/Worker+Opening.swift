import ComponentKit
import RedisStreams
import StageKit

// From the questions that a new connection begins with to the first read.
extension Worker {
    /// Takes the next reply.
    func receive() throws {
        guard let reply = self.wire?.receive() else { return }
        self.life.note("worker takes \(reply)")
        switch self.doing {
        case .opening: try self.take(answer: reply)
        case .scanning(let point):
            if case .key(let session, let key) = reply { self.keys.append((session, key)) }
            if self.keys.count == min(self.plan.keyChunk, Life.sessions - self.nextKey) { self.deliverKeys(point) }
        case .looking(let point): try self.take(look: reply, after: point)
        case .reading: try self.take(read: reply)
        case .waiting, .stopped: break
        }
    }

    func take(answer: Reply) throws {
        self.expected -= 1
        switch answer {
        case .identity(let id): self.opening.server = id
        case .anchor(let isThere): self.opening.anchor = isThere ? .present : .absent
        case .tail(let id): self.opening.start = id
        case .key(let session, let key): self.keys.append((session, key))
        case .look(let facts, let time, let lineage):
            self.opening.facts = facts
            self.openedAt = time
            self.lineage = lineage
        case .entries, .nothing: break
        }
        if self.expected == 0 { try self.open() }
    }

    func open() throws {
        if self.bug == .noCheckOnConnect, self.machine.cursor != nil {
            self.opening.isBlind = true
            self.opening.facts = nil
        }
        if self.acceptsNext { self.life.accept(at: self.openedAt, self.cursor) }
        self.acceptsNext = false
        let before = self.machine
        switch self.follower.opened(self.opening) {
        case .gap(let gap, let response): try self.gap(gap, response, at: self.openedAt)
        case .scan(let point, let isEmptying):
            if isEmptying { self.life.emptied() }
            self.life.begin(behind: point, self.opening.facts, at: self.openedAt, isScan: true)
            if let lineage { self.life.saw(lineage, at: self.openedAt) }
            self.pending = nil
            self.nextKey = 0
            self.doing = .scanning(point)
            if self.bug == .tailAfterScan, !self.keys.isEmpty {
                self.deliverKeys(point)
            } else {
                self.askKeys()
            }
        case .read(let id):
            if before.cursor == nil {
                self.life.begin(behind: id, self.opening.facts, at: self.openedAt, isScan: false)
                if let lineage { self.life.saw(lineage, at: self.openedAt) }
                let observation = self.observation(self.opening.facts, at: self.openedAt)
                self.pending = self.machine.detector?.sample.map { _ in
                    (observation, self.machine.detector?.bookmark.entriesRead != nil)
                }
            } else {
                if before.phase == .unplaced { self.life.filled(at: self.openedAt) }
                try self.looked(self.opening.facts, at: self.openedAt, hadSample: before.detector?.sample != nil)
            }
            self.startReading(behind: id)
        }
    }

    func askKeys() {
        for session in self.nextKey..<min(Life.sessions, self.nextKey + self.plan.keyChunk) {
            self.wire?.send(.key(session))
        }
        self.keys = []
    }

    /// Hands what keys hold to the stages, as of one moment.
    func deliverKeys(_ point: EntryID) {
        let entries = self.keys.compactMap { session, key in
            key.map { ModelEntry(id: point, session: session, state: $0.state, serial: $0.serial) }
        }
        self.nextKey += self.keys.count
        self.batch = Batch(entries: entries, point: point)
    }

    func take(look: Reply, after point: EntryID) throws {
        guard case .look(let facts, let time, let lineage) = look else { return }
        self.lineage = lineage
        let hadSample = self.machine.detector?.sample != nil
        if case .gap(let gap, let response) = self.follower.scanned(facts) {
            return try self.gap(gap, response, at: time)
        }
        self.life.filled(at: time)
        try self.looked(facts, at: time, hadSample: hadSample)
        self.startReading(behind: point)
    }
}
