import RedisStreams
import StageKit

/// What can happen in a life besides that entries come and go over a connection.
enum Trouble: CaseIterable, Sendable {
    /// Old entries are trimmed, read or not.
    case trim
    /// An entry is deleted.
    case delete
    /// The stream is deleted; what comes next may have lower ids.
    case drop
    /// The server's clock goes back, or forth.
    case clock
    /// The server restarts with what it had.
    case restart
    /// The server restarts with nothing.
    case restartEmpty
    /// Another server takes over, which has an older copy.
    case failOver
    /// The connection is cut.
    case cut
    /// The server is away for a while.
    case away
    /// The worker is killed and started again.
    case crash
    /// The worker is told to stop while a stage is tried again: its batch is not done, a checkpoint is saved.
    case stop
    /// A checkpoint cannot be written, or the machine stops while one is.
    case disk
    /// A checkpoint is damaged while the worker is down.
    case damage
}

/// What a life is like: settings of the worker, what the server tells, and what troubles it.
struct Plan: Sendable {
    /// What the worker is set to.
    var settings: RedisStreamSettings
    /// Whether it has a checkpoint.
    var hasCheckpoint: Bool
    /// Whether the server tells how many entries were added, as from Redis 7 on.
    var tellsCounts: Bool
    /// Milliseconds that a read waits.
    var readBlock: Int
    /// Milliseconds between two looks.
    var checkInterval: Int
    /// Replies of at most so many entries are worked on before the next read is sent.
    var firstWorkedOn: Int
    /// Keys read in one go.
    var keyChunk: Int
    /// What happens, by chance.
    var troubles: [Trouble]
    /// How many things happen.
    var steps: Int
    /// How often entries come, among other things, in a hundred.
    var flow: Int
    /// How often the stage behind the store fails, in a hundred attempts.
    var effectFailures: Int
    /// Whether such a failure may end the run.
    var effectHalts: Bool
    /// How often another worker that shares the store is ahead with an entry's key, in a hundred entries.
    var overtaken: Int

    /// Draws a plan.
    init(using random: inout SplitMix64) {
        var settings = RedisStreamSettings(stream: "s")
        self.hasCheckpoint = random.percent(50)
        switch random.below(8) {
        case 0: settings.start = .beginning
        case 1: settings.start = .after(EntryID(milliseconds: UInt64(1000 + random.below(60)), sequence: 0))
        case 2, 3, 4: settings.start = self.hasCheckpoint ? .resume : .tail
        default: settings.start = .tail
        }
        if settings.start == .tail || settings.start == .resume {
            switch random.below(4) {
            case 0: break
            case 1: settings.bootstrap = .stream
            default:
                if random.percent(60) { settings.bootstrap = .keys(KeyBootstrap(match: "*")) }
            }
        }
        switch random.below(10) {
        case 0...4: settings.onGap = .failClosed
        case 5...7: settings.onGap = .resync
        case 8: settings.onGap = .goOn
        default: settings.onGap = .halt
        }
        settings.readCount = 1 + random.below(5)
        settings.maxStaleness = random.percent(50) ? .milliseconds(40) : nil
        settings.reconnect.firstDelay = .milliseconds(2)
        settings.reconnect.maximumDelay = .milliseconds(20)
        self.settings = settings
        self.tellsCounts = random.percent(80)
        self.readBlock = 5 + random.below(20)
        self.checkInterval = 10 + random.below(60)
        self.firstWorkedOn = random.below(4)
        self.keyChunk = 1 + random.below(Life.sessions)
        let count = 1 + random.below(4)
        self.troubles = (0..<count).map { _ in Trouble.allCases[random.below(Trouble.allCases.count)] }
        self.steps = 60 + random.below(140)
        self.flow = 5 + random.below(30)
        self.effectFailures = [0, 0, 20, 60][random.below(4)]
        self.effectHalts = random.percent(30)
        self.overtaken = random.percent(30) ? 30 : 0
    }

    /// Whether stores are filled from keys.
    var scansKeys: Bool { if case .keys = self.settings.bootstrap { true } else { false } }

    /// Where the first read begins, where that is known without asking.
    var fixedStart: EntryID? {
        switch self.settings.start {
        case .beginning: .zero
        case .after(let id): id
        case .tail, .back, .resume: nil
        }
    }
}
