/// The commands in flight: which reply belongs to which command, when the server has been silent for too long, what ends
/// with the connection.
///
/// A server answers one command after the other, so only the first command without a reply has a deadline. The deadline is
/// a limit on silence: arriving bytes extend it, and it ends when the reply is here, even if nobody has read it yet.
///
/// Pure: it decides, `CommandHandler` acts. `Waiter` is the consumer of a reply; times are nanoseconds of any clock that
/// does not go back.
struct CommandQueue<Waiter> {
    /// The most commands without a reply. Twice what `CommandSender` sends, which leaves room for what follows redirections.
    static var commandLimit: Int { 2 * CommandSender.windowCommands }
    /// The most bytes of commands without a reply, which bounds the outbound buffer too; one command may be larger.
    static var byteLimit: Int { 2 * CommandSender.windowBytes }
    /// The longest time that one reply may take from its first byte, in nanoseconds: an hour, in which a link of 20 KB/s
    /// carries the longest value that is accepted (64 MiB). It ends replies that arrive one byte at a time.
    static var replyLimit: UInt64 { 3_600_000_000_000 }
    /// How long after a deadline the timer fires once more, in nanoseconds (10 ms). A thread that was busy may not have read
    /// what has arrived; it does before a timer that lies in the future.
    static var secondLook: UInt64 { 10_000_000 }
    /// How late the second look may be, in nanoseconds (5 ms); one that is later says that the thread was busy again.
    static var secondLookSlack: UInt64 { 5_000_000 }

    /// What to do with a command.
    enum Submission: Equatable {
        /// Write it; if `timer` is given, set the timer to that time.
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

    /// How a server was too slow.
    enum Lateness: Equatable {
        /// No byte of the reply arrived in this time.
        case noAnswer(ReplyTimeout)
        /// The reply began to arrive, and then nothing came for this time.
        case brokenOff(ReplyTimeout)
        /// The reply took longer than `replyLimit`.
        case endless
    }

    /// What to do when the timer fires.
    enum Alarm: Equatable {
        /// Nobody waits.
        case rest
        /// Set the timer to this time.
        case again(at: UInt64)
        /// Time is up: later replies could not be told apart, so close the connection.
        case timedOut(Lateness)
    }

    private struct Pending {
        let waiter: Waiter
        let sent: UInt64
        let silence: UInt64
        let setting: ReplyTimeout.Setting
        let bytes: Int
    }

    private var pending = RingBuffer<Pending>()
    private var pendingBytes = 0
    private var timer: UInt64?
    private var end: RedisError?
    /// When the last bytes arrived.
    private var lastBytes: UInt64 = 0
    /// When the first bytes of the first command's reply arrived; `nil` if none has.
    private var begun: UInt64?
    /// Whether the first command's reply has arrived whole and is kept back.
    private var isHere = false
    /// When the timer is to fire for the second time; `nil` unless time seems to be up.
    private var suspicion: UInt64?

    /// No commands.
    init() {}

    /// The number of commands without a reply.
    var count: Int { self.pending.count }

    /// Who waits for the next reply, or `nil`.
    var next: Waiter? { self.pending.first?.waiter }

    /// Accepts a command of so many bytes, unless the connection has ended or too much is in flight.
    ///
    /// - Parameters:
    ///   - silence: How long the server may be silent, in nanoseconds.
    ///   - now: The time.
    mutating func submit(
        _ waiter: Waiter, bytes: Int, silence: UInt64, of setting: ReplyTimeout.Setting = .command, now: UInt64
    ) -> Submission {
        if let end = self.end { return .refuse(end) }
        guard self.pending.count < Self.commandLimit,
            self.pending.isEmpty || self.pendingBytes + bytes <= Self.byteLimit
        else {
            return .refuse(
                RedisError(
                    .tooManyCommands, "more than \(self.pending.count) commands without an answer", isTransient: true))
        }
        self.pending.append(Pending(waiter: waiter, sent: now, silence: silence, setting: setting, bytes: bytes))
        self.pendingBytes += bytes
        // The timer is only ever set earlier here: one that fires too early looks again, and costs nothing in between.
        let deadline = now &+ silence
        guard deadline < self.timer ?? .max else { return .write(timer: nil) }
        self.timer = deadline
        return .write(timer: deadline)
    }

    /// Notes that bytes have arrived.
    mutating func bytesArrived(now: UInt64) {
        self.lastBytes = now
        if self.begun == nil { self.begun = now }
    }

    /// Notes that the next reply has arrived whole and is kept back: its command has no deadline any more.
    mutating func replyIsHere() {
        self.isHere = true
    }

    /// Finds whose reply is read: replies come in the order of the commands.
    ///
    /// - Parameter now: The time; asked for only after a reply that was kept back.
    mutating func replyArrived(now: @autoclosure () -> UInt64) -> Arrival {
        if self.end != nil { return .ignore }
        guard let first = self.pending.popFirst() else { return .unexpected }
        self.pendingBytes -= first.bytes
        self.begun = nil
        if self.isHere {
            // What was sent behind it could not be answered before.
            self.isHere = false
            self.lastBytes = now()
        }
        return .deliver(first.waiter)
    }

    /// Looks whether the server was silent for too long.
    mutating func timerFired(now: UInt64) -> Alarm {
        self.timer = nil
        let expected = self.suspicion.take()
        guard self.end == nil, let first = self.pending.first else { return .rest }
        let silent = self.isHere ? .max : max(first.sent, self.lastBytes) &+ first.silence
        let endless = self.isHere ? .max : self.begun.map { $0 &+ Self.replyLimit } ?? .max
        if min(silent, endless) <= now {
            guard let expected, now <= expected &+ Self.secondLookSlack else {
                self.suspicion = now &+ Self.secondLook
                self.timer = self.suspicion
                return .again(at: now &+ Self.secondLook)
            }
            if endless <= now { return .timedOut(.endless) }
            let timeout = ReplyTimeout(duration: .nanoseconds(Int64(clamping: first.silence)), setting: first.setting)
            return .timedOut(self.begun == nil ? .noAnswer(timeout) : .brokenOff(timeout))
        }
        // A command behind the first may have less time once it is the first.
        let shortest = self.pending.lowest(by: \.silence) ?? first.silence
        let next = min(silent, endless, now &+ shortest)
        self.timer = next
        return .again(at: next)
    }

    /// Ends: every command from here on is refused with `error`, and the waiters are returned to be notified.
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
