import CoreMetrics
import Logging
import RedisStreams
import SnapshotStores
import StageKit

/// A worker: the parts of a real one that decide and hold, with a simulated connection for the rest.
///
/// What it does with replies is what `StreamReader` does, step by step, so that anything can happen in between.
final class Worker {
    /// What it waits for.
    enum Doing: Equatable {
        /// The time to connect.
        case waiting(until: Int)
        /// Answers to what it has asked.
        case opening
        /// Keys.
        case scanning(EntryID)
        /// The look behind the keys.
        case looking(EntryID)
        /// Entries.
        case reading
        /// Nothing: its run has ended.
        case stopped
    }

    /// What is being handed to the stages, one by one.
    struct Batch {
        var entries: [ModelEntry]
        /// The id that all of them have instead of their own: those that stand for keys.
        var point: EntryID?
        /// When the server has read them.
        var read = 0
        /// What they prove.
        var proof: ContinuousClock.Instant?
        /// Whether the next read is on its way.
        var isAsked = false
        /// Whether they show that the stream should be asked again at once.
        var isPrompt = false
        var done = 0
    }

    /// What other threads see.
    final class Board {
        var board = SourceBoard()
    }

    let life: Life
    let plan: Plan
    let store: SimulatedStore
    let board = Board()
    let keeper: FileCheckpoint?
    let follower: Follower
    private var retry: ReconnectPlan
    var doing = Doing.waiting(until: 0)
    var wire: Wire?
    var batch: Batch?
    private let ids = EventBatch()

    // What is known of this connection.
    private var opening = FollowMachine.Opening()
    private var openedAt = 0
    private var lineage: Int?
    private var expected = 0
    private var asked = ReadTimes(sent: Life.origin, block: .zero)
    private var following: ReadTimes?
    private var checked = 0
    private var keys: [(Int, ModelServer.Key?)] = []
    private var nextKey = 0
    private var isFirstRead = true
    private var isCut = false
    /// The look that counting goes towards, and whether it can be counted.
    private var pending: (at: Int, isCounted: Bool)?
    /// Whether losses that a read has shown are accepted as of the next look.
    private var acceptsNext = false

    private static let logger = Logger(label: "simulator") { _ in SwiftLogNoOpLogHandler() }

    /// A worker that has not begun.
    init(_ life: Life) {
        let plan = life.plan
        self.life = life
        self.plan = plan
        self.store = SimulatedStore(life.bug)
        let isPlain = plan.settings.start == .tail && plan.settings.bootstrap == .none
        self.store.store.freshness?.setFilling(!isPlain)
        self.keeper =
            plan.hasCheckpoint
            ? FileCheckpoint(
                life.disk, interval: .seconds(1), stores: [self.store.store], definition: "", logger: Self.logger,
                metrics: NOOPMetricsHandler.instance) : nil
        let board = self.board
        self.follower = Follower(
            plan.settings, database: 0, stores: [self.store.store], checkpoint: self.keeper, logger: Self.logger
        ) { $0(&board.board) }
        self.retry = ReconnectPlan(plan.settings.reconnect)
    }

    /// Where the source is, for a checkpoint.
    var position: SourcePosition? {
        let board = self.board.board
        return board.mark.map { mark in
            SourcePosition(
                epoch: board.epoch, cursor: mark.cursor,
                text: CheckpointPosition(mark: mark, database: 0, stream: self.plan.settings.stream).text)
        }
    }

    var machine: FollowMachine { self.follower.machine }
    private var cursor: EntryID { self.machine.cursor ?? .zero }
    private var bug: PlantedBug? { self.life.bug }

    // MARK: Connections

    /// Loads the checkpoint, if there is one.
    func begin() throws {
        do {
            try self.follower.loadCheckpoint()
        } catch is RedisError {
            self.doing = .stopped
        }
    }

    /// Connects and asks.
    func connect() {
        guard self.life.isServerUp else {
            return self.failed(RedisError(.connectFailed, "refused", isTransient: true))
        }
        _ = self.retry.connected()
        var wire = Wire()
        let questions = self.machine.questions
        self.keys = []
        self.expected = 0
        func ask(_ command: Command) {
            wire.send(command)
            self.expected += 1
        }
        if self.bug == .tailAfterScan, self.plan.scansKeys, self.machine.phase != .following {
            for session in 0..<Life.sessions { ask(.key(session)) }
        }
        ask(.identity)
        if let anchor = questions.anchor { ask(.anchor(anchor)) }
        if questions.tail { ask(.tail) }
        ask(.look)
        self.wire = wire
        self.opening = FollowMachine.Opening()
        if !questions.tail { self.opening.start = self.plan.fixedStart }
        self.doing = .opening
    }

    /// The connection is gone; what is in hand is finished first.
    func cut() {
        if self.wire == nil { return }
        if self.batch != nil {
            self.isCut = true
            return
        }
        // The bug: the reply had begun to come.
        if self.bug == .cursorBeforeDelivery, self.doing == .reading, self.batch == nil,
            case .entries(let entries, _) = self.wire?.replies.first
        {
            _ = self.follower.read(self.fill(entries), last: entries[entries.count - 1].id)
        }
        self.failed(RedisError(.closed, "cut", isTransient: true))
    }

    private func failed(_ error: RedisError) {
        self.hangUp()
        do throws(RedisError) {
            self.wait(try self.retry.delay(after: error, using: &self.life.random))
        } catch {
            self.doing = .stopped
        }
    }

    private func wait(_ delay: Duration?) {
        let milliseconds = Life.milliseconds(delay ?? .zero)
        self.life.require(
            milliseconds <= Life.milliseconds(self.plan.settings.reconnect.maximumDelay), "waits too long")
        self.doing = .waiting(until: self.life.time + milliseconds)
    }

    private func hangUp() {
        self.wire = nil
        self.isCut = false
        self.following = nil
        self.pending = nil
        self.follower.disconnected()
    }

    // MARK: Opening

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

    private func take(answer: Reply) throws {
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

    private func open() throws {
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
            if let lineage { self.life.saw(lineage) }
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
                if let lineage { self.life.saw(lineage) }
                self.pending = self.machine.detector?.sample.map { _ in
                    (self.openedAt, self.machine.detector?.mark.position != nil)
                }
            } else {
                if before.phase == .unplaced { self.life.filled(at: self.openedAt) }
                try self.looked(self.opening.facts, at: self.openedAt, hadSample: before.detector?.sample != nil)
            }
            self.startReading(behind: id)
        }
    }

    private func askKeys() {
        for session in self.nextKey..<min(Life.sessions, self.nextKey + self.plan.keyChunk) {
            self.wire?.send(.key(session))
        }
        self.keys = []
    }

    /// Hands what keys hold to the stages, as of one moment.
    private func deliverKeys(_ point: EntryID) {
        let entries = self.keys.compactMap { session, key in
            key.map { ModelEntry(id: point, session: session, state: $0.state, serial: $0.serial) }
        }
        self.nextKey += self.keys.count
        self.batch = Batch(entries: entries, point: point)
    }

    private func take(look: Reply, after point: EntryID) throws {
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

    // MARK: Reading

    private func startReading(behind id: EntryID) {
        self.doing = .reading
        self.checked = self.life.time
        self.following = nil
        self.isFirstRead = true
        self.asked = self.ask(behind: id, isPrompt: true)
    }

    private func ask(behind id: EntryID, isPrompt: Bool) -> ReadTimes {
        let block = isPrompt ? 1 : self.plan.readBlock
        let isNew = self.bug == .tailAtFirstRead && self.isFirstRead && self.plan.settings.start == .tail
        self.wire?.send(isNew ? .readNew(block: block) : .read(behind: id, block: block))
        self.isFirstRead = false
        return ReadTimes(sent: Life.instant(self.life.time), block: .milliseconds(block))
    }

    private func take(read reply: Reply) throws {
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

    private func take(_ entries: [ModelEntry], _ time: Int, _ now: ContinuousClock.Instant) throws {
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
        if before?.mark.baseline != nil, before?.mark.position != nil, self.machine.detector?.mark.position == nil {
            self.pending = nil
            self.life.forgive(at: time)
        }
        let proof = self.asked.proof(isFull: isFull)
        self.batch = Batch(entries: entries, read: time, proof: proof, isPrompt: isPrompt)
        if self.bug == .checkpointAhead { self.follower.delivered(last, provenUpTo: proof) }
    }

    private func fill(_ entries: [ModelEntry]) -> EventBatch {
        self.ids.removeAll()
        for entry in entries { self.ids.appendEntry(entry.id) }
        return self.ids
    }

    // MARK: Handing to the stages

    /// Has the stages work on the next entry, and goes on behind the last one.
    func work() throws {
        guard var batch = self.batch else { return }
        if batch.done < batch.entries.count {
            let entry = batch.entries[batch.done]
            try self.life.deliver(entry, as: batch.point, self)
            batch.done += 1
            self.batch = batch
            if batch.done < batch.entries.count { return }
        }
        self.batch = nil
        defer { if self.isCut { self.cut() } }
        if let point = batch.point { return self.scannedSome(point) }
        guard let last = batch.entries.last?.id else { return }
        self.asked = self.following ?? self.ask(behind: last, isPrompt: batch.isPrompt)
        self.following = nil
        if self.bug != .checkpointAhead { self.follower.delivered(last, provenUpTo: batch.proof) }
        self.retry.succeeded(isAtEnd: batch.proof != nil)
        try self.counted(readAt: batch.read)
    }

    private func scannedSome(_ point: EntryID) {
        if self.nextKey < Life.sessions { return self.askKeys() }
        self.doing = .looking(point)
        self.wire?.send(.look)
    }

    // MARK: What is accounted for

    /// A look found nothing wrong.
    private func looked(_ facts: StreamFacts?, at time: Int, hadSample: Bool) throws {
        guard !self.opening.isBlind else { return }
        // What is not known to count from nothing is taken as it is when it is seen first.
        if facts != nil, self.life.known?.isSeen == false, self.life.known?.position == nil {
            self.life.forgive(at: time)
        }
        if let lineage { self.life.saw(lineage) }
        guard self.plan.tellsCounts else { return try self.life.sawBySight(facts, at: time, self.machine) }
        if hadSample { return }
        if self.machine.detector?.sample == nil {
            try self.life.accountedFor(time, self.machine)
        } else {
            self.pending = (time, self.machine.detector?.mark.position != nil)
        }
    }

    /// Entries that were there at that time were counted, or there were none.
    private func counted(readAt time: Int) throws {
        guard let pending, self.machine.detector?.sample == nil else { return }
        self.pending = nil
        if !self.plan.tellsCounts { return }
        if pending.isCounted {
            try self.life.accountedFor(pending.at, self.machine)
        } else {
            self.life.forgive(at: time)
        }
    }

    /// Does what was decided about a gap.
    private func gap(_ gap: Gap, _ response: FollowMachine.Response, at time: Int?) throws {
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
