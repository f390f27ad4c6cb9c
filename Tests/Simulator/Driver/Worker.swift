import Checkpoints
import ComponentKit
import CoreMetrics
import Logging
import RedisClient
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
        /// What the source knows to be finished, as the batch says.
        var finishedUpTo: EntryID?
        /// How many the store has.
        var done = 0
        /// Those that wait at the stage behind the store.
        var waiting: [ModelEntry] = []
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
    var retry: ReconnectPlan
    var doing = Doing.waiting(until: 0)
    var wire: Wire?
    var batch: Batch?
    let ids = EventBatch()

    // What is known of this connection.
    var opening = FollowMachine.Opening()
    var openedAt = 0
    var lineage: Int?
    var expected = 0
    var asked = ReadTimes(sent: Life.origin, block: .zero)
    var following: ReadTimes?
    var checked = 0
    var keys: [(Int, ModelServer.Key?)] = []
    var nextKey = 0
    var isFirstRead = true
    var isCut = false
    /// The look that counting goes towards, and whether it can be counted.
    var pending: (observation: StreamObservation, isCounted: Bool)?
    /// The bug: the last entry that the store held when the worker began.
    private var heldAtFirst: EntryID?
    /// Whether losses that a read has shown are accepted as of the next look.
    var acceptsNext = false

    private static let logger = Logger(label: "simulator") { _ in SwiftLogNoOpLogHandler() }

    /// A worker that has not begun.
    init(_ life: Life) {
        let plan = life.plan
        self.life = life
        self.plan = plan
        self.store = SimulatedStore(life.bug)
        let isPlain = plan.settings.start == .tail && plan.settings.bootstrap == .none
        self.store.freshness?.setFilling(!isPlain)
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
    var bookmark: SourceBookmark? {
        let board = self.board.board
        return board.bookmark.map { bookmark in
            SourceBookmark(
                epoch: board.epoch, cursor: bookmark.cursor,
                text: CheckpointBookmark(bookmark: bookmark, database: 0, stream: self.plan.settings.stream).text)
        }
    }

    var machine: FollowMachine { self.follower.machine }
    var cursor: EntryID { self.machine.cursor ?? .zero }
    var bug: PlantedBug? { self.life.bug }

    /// What a batch says of what is finished, with the bugs.
    func finishedUpTo(_ entries: [ModelEntry]) -> EntryID? {
        let finished = self.machine.finishedUpTo
        switch self.bug {
        case .heldCountsAsFinished: return [finished, self.heldAtFirst].compactMap(\.self).max()
        case .finishedTooFar: return finished.map { limit in entries.first { $0.id > limit }?.id ?? limit }
        default: return finished
        }
    }

    // MARK: Connections

    /// Loads the checkpoint, if there is one.
    func begin() throws {
        do {
            try self.follower.loadCheckpoint()
            self.heldAtFirst = (0..<Life.sessions).compactMap { self.store.found($0)?.id }.max()
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

    func failed(_ error: RedisError) {
        self.hangUp()
        do throws(RedisError) {
            self.wait(try self.retry.delay(after: error, using: &self.life.random))
        } catch {
            self.doing = .stopped
        }
    }

    func wait(_ delay: Duration?) {
        let milliseconds = Life.milliseconds(delay ?? .zero)
        self.life.require(
            milliseconds <= Life.milliseconds(self.plan.settings.reconnect.maximumDelay), "waits too long")
        self.doing = .waiting(until: self.life.time + milliseconds)
    }

    func hangUp() {
        self.wire = nil
        self.isCut = false
        self.following = nil
        self.pending = nil
        self.follower.disconnected()
    }
}
