import ComponentKit
import RedisStreams
import SnapshotStores
import StageKit

/// One life: a server, a worker, what happens to both, and whether every promise is kept meanwhile. A seed decides it all.
final class Life {
    /// How many sessions there are: few, so that they meet.
    static let sessions = 4
    /// What the worker's clock counts from.
    static let origin = ContinuousClock.now
    /// The most copies of the server that are kept.
    static let copies = 3
    /// In so many steps after the last trouble everything has to be right.
    static let calmSteps = 4000

    /// How a life has ended.
    enum End: Sendable {
        /// Everything was right.
        case right
        /// The run was ended by a gap, as the settings say.
        case halted
        /// Something has happened that no version can tell, and that the product says it cannot tell.
        case untellable
    }

    let bug: PlantedBug?
    let plan: Plan
    let disk = SimulatedDisk()
    var random: SplitMix64
    /// Milliseconds.
    var time = 1000
    var server: ModelServer
    var ledger = Ledger()
    var worker: Worker?
    /// Whether anybody can connect.
    var isServerUp: Bool { self.time >= self.upAgain }
    private(set) var upAgain = 0
    private var old: [(server: ModelServer, ledger: Ledger)] = []
    private var lineages = 0
    private var runs = 0

    // For the promises.
    /// Entries that came in replies, that were refused because they showed a gap, and that were handed to the stages.
    var received = 0
    var refused = 0
    var handedOn = 0
    var cutOff = 0
    var gaps: [GapKind: Int] = [:]
    /// Up to when losses are accounted for.
    var accounted = 0
    /// What the stage behind the store has done.
    var effects = EffectLedger(sessions: Life.sessions)
    /// How often it has failed.
    var failedEffects = 0
    /// Whether nothing fails any more.
    private(set) var isCalm = false
    /// Whether something has happened that cannot be told.
    var isUntellable = false
    var broken: Violation?
    /// What the worker knew of the stream after the last step.
    var known: StreamBookmark?
    /// Whether the store is kept over a gap, and what goes of it when it is filled again.
    var keeps = false
    var sweep: EntryID?
    /// Whether the store may have changed since it was looked at.
    var isDirty = false
    private var saved: (epoch: Ledger.Epoch, cursor: EntryID, delivered: Set<Int>, acceptsNext: Bool)?
    private var isDamaged = false
    private var isCrashed = false
    private var isStopping = false
    private let trace: Bool

    /// A life that has not begun.
    init(seed: UInt64, bug: PlantedBug? = nil, trace: Bool = false) {
        self.bug = bug
        self.trace = trace
        self.random = SplitMix64(spreading: seed)
        self.plan = Plan(using: &self.random)
        self.server = ModelServer(sessions: Self.sessions, tellsCounts: self.plan.tellsCounts)
    }

    /// Lives; throws the first promise that is broken.
    func run() async throws -> End {
        // The two know each other: not let go, its store and the addresses that it reserves would stay.
        defer { self.worker = nil }
        self.note("\(self.plan)")
        for _ in 0..<self.random.below(12) { self.produce() }
        try self.start()
        for _ in 0..<self.plan.steps {
            if self.worker?.doing == .stopped || self.isUntellable { break }
            if self.keepsCheckpoints, self.random.percent(4) { try await self.save() }
            try self.step()
            if self.isStopping, !self.isCrashed { try await self.shutDown() }
            if self.isCrashed { try self.restartWorker() }
        }
        if self.isUntellable { return .untellable }
        if self.worker?.doing == .stopped { return .halted }
        return try self.calm()
    }

    private var keepsCheckpoints: Bool { self.worker?.keeper != nil }

    // MARK: Steps

    /// One thing happens.
    private func step() throws {
        self.time += 1 + (self.random.percent(10) ? self.random.below(20) : 0)
        let choice = self.random.below(100)
        if choice < self.plan.flow {
            self.produce()
        } else if choice < self.plan.flow + 4 {
            self.suffer(self.plan.troubles[self.random.below(self.plan.troubles.count)])
        } else {
            try self.goOn()
        }
        try self.check()
    }

    /// Whatever can go on does, one of it.
    private func goOn() throws {
        guard let worker = self.worker else { return }
        defer { if self.bug == .answersWhileFilling { worker.store.freshness?.setFilling(false) } }
        if worker.batch != nil, self.random.percent(70) { return try worker.work() }
        if case .waiting(let until) = worker.doing {
            if until <= self.time { worker.connect() }
            return
        }
        let canReceive = worker.batch == nil && worker.wire?.replies.isEmpty == false
        if canReceive, self.random.percent(60) { return try worker.receive() }
        worker.wire?.execute(self.server, self.plan.settings.readCount, at: self.time)
    }

    /// Nothing happens any more to the server: everything gets right.
    private func calm() throws -> End {
        self.note("calm")
        self.isCalm = true
        self.upAgain = 0
        let quiet = self.time
        for _ in 0..<Self.calmSteps {
            self.time += 1
            try self.goOn()
            try self.check()
            guard let worker = self.worker, worker.doing != .stopped else { return .halted }
            if self.isUntellable { return .untellable }
            if worker.doing == .reading, worker.batch == nil, self.accounted >= quiet,
                worker.machine.phase == .following,
                worker.board.board.status.isCaughtUp
            {
                try self.checkKeys()
                return .right
            }
        }
        throw Violation("not right again: \(self.worker.map { "\($0.doing) \($0.machine)" } ?? "")")
    }

    // MARK: The producer and the server

    /// An entry is added; what it says is in the session's key before.
    private func produce() {
        let session = self.random.below(Self.sessions)
        let choice = self.random.below(10)
        let state: SessionState = choice < 5 ? .active : choice < 9 ? .revoked : .malformed
        let id = self.server.nextID(at: self.time)
        if self.server.stream == nil {
            self.lineages += 1
            self.server.stream = ModelServer.Stream(lineage: self.lineages)
        }
        let entry = self.ledger.add(id, session, state, self.server.stream?.lineage ?? 0, at: self.time)
        self.server.keys[session] = state == .malformed ? nil : ModelServer.Key(state: state, serial: entry.serial)
        self.server.stream?.entries.append(entry)
        self.server.stream?.generated = id
        self.server.stream?.added += 1
        self.note("add \(id) session \(session) \(state) as \(entry.serial)")
        self.worker?.wire?.wake(self.server, self.plan.settings.readCount, at: self.time)
    }

    private func suffer(_ trouble: Trouble) {
        self.note("trouble: \(trouble)")
        switch trouble {
        case .trim:
            let count = self.random.below((self.server.stream?.entries.count ?? 0) + 1)
            guard let gone = self.server.stream?.entries.prefix(count) else { return }
            self.ledger.remove(gone, at: self.time)
            self.server.stream?.entries.removeFirst(count)
        case .delete:
            guard let count = self.server.stream?.entries.count, count > 0,
                let entry = self.server.stream?.entries.remove(at: self.random.below(count))
            else { return }
            self.ledger.remove([entry], at: self.time)
            let before = self.server.stream?.deleted ?? .zero
            self.server.stream?.deleted = max(before, entry.id)
        case .drop:
            self.server.stream = nil
            self.ledger.drop(at: self.time)
            if self.random.percent(30) { self.server.clockSkew = -self.time + 1 + self.random.below(50) }
        case .clock: self.server.clockSkew = self.random.below(60) - 40
        case .restart: self.restartServer()
        case .restartEmpty:
            self.server.stream = nil
            self.server.keys = Array(repeating: nil, count: Self.sessions)
            self.ledger.drop(at: self.time)
            self.restartServer()
        case .failOver: self.failOver()
        case .cut: self.worker?.cut()
        case .away:
            self.upAgain = self.time + self.random.below(60)
            self.worker?.cut()
        case .crash: self.isCrashed = true
        case .stop: self.stop()
        case .disk: self.disk.set(self.random.percent(50) ? .full : self.random.percent(50) ? .stopsBefore : .fine)
        case .damage:
            if self.disk.damage(at: self.random.below(4096), cuts: self.random.percent(50)) {
                self.isDamaged = true
                self.isCrashed = true
            }
        }
    }

    private func restartServer() {
        self.runs += 1
        self.server.runID = "run\(self.runs)"
        self.worker?.cut()
    }

    /// Takes a copy, or has one take over.
    private func failOver() {
        if self.old.isEmpty || (self.old.count < Self.copies && self.random.percent(50)) {
            return self.old.append((self.server, self.ledger))
        }
        let copy = self.old.remove(at: self.random.below(self.old.count))
        let skew = self.server.clockSkew
        self.server = copy.server
        self.server.clockSkew = self.random.percent(20) ? skew - self.random.below(30) : skew
        self.ledger.goBack(to: copy.ledger, at: self.time)
        // Copies of what is not so any more are of no use.
        self.old.removeAll { $0.ledger.fates.count > copy.ledger.fates.count }
        self.restartServer()
    }

    // MARK: The worker's start and end

    private func start() throws {
        let worker = Worker(self)
        self.worker = worker
        self.ledger.epoch = nil
        (self.keeps, self.sweep, self.isDirty) = (false, nil, true)
        let wasKept = self.disk.isKept
        try worker.begin()
        guard self.plan.settings.start == .resume, wasKept else { return }
        if let cursor = worker.machine.cursor {
            try self.resume(worker, at: cursor)
        } else if worker.board.board.status.gaps[GapKind.checkpoint.rawValue] != nil || worker.doing == .stopped {
            self.require(self.isDamaged, "a checkpoint that was whole could not be used")
            self.gaps[.checkpoint, default: 0] += 1
            self.isDamaged = false
        }
    }

    /// The worker is to end its run in order, and to be started again.
    func stop() { self.isStopping = true }

    /// The worker's run ends: a checkpoint is saved, its batch is not done.
    private func shutDown() async throws {
        self.note("worker stops")
        if self.keepsCheckpoints { try await self.save() }
        self.isCrashed = true
    }

    private func restartWorker() throws {
        self.note("worker killed")
        (self.isCrashed, self.isStopping) = (false, false)
        if let batch = self.worker?.batch { self.cutOff += batch.point == nil ? batch.entries.count - batch.done : 0 }
        try self.start()
    }

    /// A checkpoint was loaded: what the store holds has to be what it held at some moment between the noting of the
    /// bookmark and the end of the writing.
    private func resume(_ worker: Worker, at cursor: EntryID) throws {
        guard let saved = self.saved else { throw Violation("there was no checkpoint") }
        self.require(!self.isDamaged, "a damaged checkpoint was used")
        self.require(saved.cursor == cursor, "the checkpoint has another cursor: \(cursor) for \(saved.cursor)")
        var epoch = saved.epoch
        epoch.delivered = epoch.delivered.filter { self.ledger.entry($0).id <= cursor }
        epoch.filledFrom = nil
        for session in 0..<Self.sessions {
            let least = epoch.held[session]
            guard let found = worker.store.found(session) else {
                let isGone = saved.delivered.contains { serial in
                    let entry = self.ledger.entry(serial)
                    return entry.session == session && entry.state == .malformed && entry.id >= least?.id ?? .zero
                }
                self.require(
                    least == nil || least?.state == .malformed || isGone, "session \(session) is not in the checkpoint")
                epoch.held[session] = Held(id: cursor, state: .malformed, serial: -1)
                continue
            }
            let entry = self.ledger.entry(found.serial)
            let isKnown = least?.serial == found.serial || saved.delivered.contains(found.serial)
            self.require(
                isKnown && entry.session == session && found.id >= least?.id ?? .zero,
                "the checkpoint has entry \(found.serial) for session \(session), and \(String(describing: least)) was due"
            )
            epoch.held[session] = Held(id: found.id, state: entry.state, serial: found.serial)
            if found.id > cursor { epoch.ahead.insert(session) }
        }
        self.ledger.epoch = epoch
        self.ledger.epoch?.last = cursor
        worker.acceptsNext = saved.acceptsNext
        self.effects.placed(behind: cursor, keepsStores: false)
        self.accounted = 0
    }

    /// Has a checkpoint written, while other things happen.
    private func save() async throws {
        guard let worker = self.worker, let keeper = worker.keeper else { return }
        var first: (bookmark: SourceBookmark, epoch: Ledger.Epoch, acceptsNext: Bool)?
        let before = self.disk.versions
        var failure: (any Error)?
        await keeper.save {
            if self.disk.isDeciding || failure != nil || self.isCrashed {
                return self.bug == .checkpointAcrossGap ? first?.bookmark : worker.bookmark
            }
            if first != nil, !self.isStopping {
                do {
                    for _ in 0..<self.random.below(4) where !self.isCrashed && !self.isStopping { try self.step() }
                } catch {
                    failure = error
                }
            }
            let bookmark = worker.bookmark
            if first == nil, let bookmark, let epoch = self.ledger.epoch {
                first = (bookmark, epoch, worker.acceptsNext)
                self.note("checkpoint of \(bookmark.cursor) begun")
            }
            return self.bug == .checkpointAcrossGap ? first?.bookmark : bookmark
        }
        if let failure { throw failure }
        if self.disk.versions != before, let first {
            self.note("checkpoint of \(first.bookmark.cursor) kept")
            self.saved = (
                first.epoch, first.bookmark.cursor, self.ledger.epoch?.delivered ?? [], first.acceptsNext
            )
            self.isDamaged = false
        }
        if self.disk.takeStop() { self.isCrashed = true }
    }

    // MARK: What is said

    /// Tells a line, where somebody wants to read it.
    func note(_ text: @autoclosure () -> String) {
        if self.trace { print("\(self.time)  \(text())") }
    }

    /// Keeps the first promise that is broken, for the end of the step.
    func require(_ isTrue: Bool, _ what: @autoclosure () -> String) {
        if !isTrue, self.broken == nil { self.broken = Violation(what()) }
    }
}
