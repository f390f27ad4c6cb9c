/// The commands on their way: which reply belongs to which command, when time is up, what ends with the connection.
///
/// Pure: it decides, `CommandHandler` acts. `Waiter` is whoever waits for a reply; times are nanoseconds of any clock
/// that does not go back.
struct CommandQueue<Waiter> {
    /// The most commands without a reply: enough to hide a round trip, few enough that a dead server is soon noticed.
    static var commandLimit: Int { 1024 }
    /// The most bytes of commands without a reply, which bounds the outbound buffer too; one command may be larger.
    static var byteLimit: Int { 16 << 20 }

    /// What to do with a command.
    enum Submission: Equatable {
        /// Write it; where `timer` is given, set the timer to that time.
        case write(timer: UInt64?)
        /// Do not write it: this is why.
        case refuse(RedisError)
    }

    /// What to do with a reply.
    enum Arrival {
        /// It is this waiter's.
        case deliver(Waiter)
        /// It answers nothing that was asked: close the connection.
        case unexpected
        /// The connection has ended already.
        case ignore
    }

    /// What to do when the timer fires.
    enum Alarm {
        /// Nobody waits.
        case rest
        /// Set the timer to this time.
        case again(at: UInt64)
        /// A command's time is up: later replies could not be told apart, so close the connection.
        case timedOut
    }

    private struct Pending {
        let waiter: Waiter
        let deadline: UInt64
        let bytes: Int
    }

    private var pending = RingBuffer<Pending>()
    private var pendingBytes = 0
    private var timer: UInt64?
    private var end: RedisError?

    /// No commands.
    init() {}

    /// The number of commands without a reply.
    var count: Int { self.pending.count }

    /// Who waits for the next reply; nil where nobody does.
    var next: Waiter? { self.pending.first?.waiter }

    /// Takes a command of so many bytes in, unless the connection has ended or too much is on its way.
    mutating func submit(_ waiter: Waiter, bytes: Int, deadline: UInt64) -> Submission {
        if let end = self.end { return .refuse(end) }
        guard self.pending.count < Self.commandLimit,
            self.pending.isEmpty || self.pendingBytes + bytes <= Self.byteLimit
        else {
            return .refuse(
                RedisError(
                    .tooManyCommands, "more than \(self.pending.count) commands without an answer", isTransient: true))
        }
        self.pending.append(Pending(waiter: waiter, deadline: deadline, bytes: bytes))
        self.pendingBytes += bytes
        // The timer is only ever set earlier here: one that fires too early looks again, and costs nothing in between.
        guard deadline < self.timer ?? .max else { return .write(timer: nil) }
        self.timer = deadline
        return .write(timer: deadline)
    }

    /// Finds whose reply has come: replies come in the order of the commands.
    mutating func replyArrived() -> Arrival {
        if self.end != nil { return .ignore }
        guard let first = self.pending.popFirst() else { return .unexpected }
        self.pendingBytes -= first.bytes
        return .deliver(first.waiter)
    }

    /// Looks for a command whose time is up.
    mutating func timerFired(now: UInt64) -> Alarm {
        self.timer = nil
        guard self.end == nil, let earliest = self.pending.lowest(by: \.deadline) else { return .rest }
        if earliest <= now { return .timedOut }
        self.timer = earliest
        return .again(at: earliest)
    }

    /// Ends: every command from here on is refused with `error`, and those who wait are returned to be told it.
    ///
    /// Only the first call counts; later ones return nobody.
    mutating func close(_ error: RedisError) -> [Waiter] {
        guard self.end == nil else { return [] }
        self.end = error
        self.timer = nil
        self.pendingBytes = 0
        return self.pending.removeAll().map(\.waiter)
    }
}
