import DequeModule

/// The queue of commands in flight: matches replies to commands, detects a silent server, and collects the waiters when
/// the connection ends.
///
/// A server answers commands in order, so only the oldest command without a reply has a deadline. The deadline limits
/// silence: each arrival of bytes extends it, and it no longer applies once the reply is complete, even if the reply
/// has not been parsed.
///
/// This type does no I/O: it makes decisions and `CommandHandler` carries them out. `Waiter` is the consumer of a
/// reply. Times are nanoseconds of any monotonic clock.
struct CommandQueue<Waiter> {
    /// The maximum number of commands without a reply. Twice the window of `CommandSender`, to leave room for
    /// redirected commands.
    static var commandLimit: Int { 2 * CommandSender.windowCommands }
    /// The maximum size in bytes of all commands without a reply, which also bounds the outbound buffer. A single
    /// command may be larger.
    static var byteLimit: Int { 2 * CommandSender.windowBytes }
    /// The maximum time from the first byte of a reply to its last, in nanoseconds: one hour. At 20 KB/s this is enough
    /// for the longest accepted value (64 MiB). The limit ends replies that arrive one byte at a time.
    static var replyLimit: UInt64 { 3_600_000_000_000 }
    /// The delay from an expired deadline to the second check, in nanoseconds (10 ms). A busy thread may have received
    /// bytes that it has not read yet; it reads them before this timer fires.
    static var secondLook: UInt64 { 10_000_000 }
    /// The maximum lateness of the second check, in nanoseconds (5 ms). If the check is later, the thread was busy
    /// again and the result does not count.
    static var secondLookSlack: UInt64 { 5_000_000 }

    /// The action to take for a command.
    enum Submission: Equatable {
        /// Write the command and, if `timer` is not `nil`, set the timer to that time.
        case write(timer: UInt64?)
        /// Do not write the command; fail it with this error.
        case refuse(RedisError)
    }

    /// The action to take for a reply.
    enum Arrival {
        /// Deliver the reply to this waiter.
        case deliver(Waiter)
        /// Close the connection: no command is waiting for a reply.
        case unexpected
        /// Ignore the reply: the connection has already ended.
        case ignore
    }

    /// The limit that a slow server exceeded.
    enum Lateness: Equatable {
        /// No byte of the reply arrived in this time.
        case noAnswer(ReplyTimeout)
        /// Part of the reply arrived, then nothing for this time.
        case brokenOff(ReplyTimeout)
        /// The reply took longer than `replyLimit`.
        case endless
    }

    /// The action to take when the timer fires.
    enum Alarm: Equatable {
        /// Do nothing: no command is waiting.
        case rest
        /// Set the timer to this time.
        case again(at: UInt64)
        /// Close the connection: the server was silent for too long, and a late reply could be matched to the wrong
        /// command.
        case timedOut(Lateness)
    }

    private struct Pending {
        let waiter: Waiter
        let sent: UInt64
        let silence: UInt64
        let setting: ReplyTimeout.Setting
        let bytes: Int
    }

    private var pending = Deque<Pending>()
    private var pendingBytes = 0
    private var timer: UInt64?
    private var end: RedisError?
    /// The time of the last arrival of bytes.
    private var lastBytes: UInt64 = 0
    /// The arrival time of the first byte of the oldest command's reply, or `nil` if none has arrived.
    private var begun: UInt64?
    /// Whether the oldest command's reply is complete but not parsed yet.
    private var isHere = false
    /// The time of the second check, or `nil` if no deadline seems to have passed.
    private var suspicion: UInt64?

    /// Creates an empty queue.
    init() {}

    /// The number of commands without a reply.
    var count: Int { self.pending.count }

    /// The waiter of the next reply, or `nil` if no command is waiting.
    var next: Waiter? { self.pending.first?.waiter }

    /// Accepts a command, unless the connection has ended or too much is in flight.
    ///
    /// - Parameters:
    ///   - waiter: The consumer of the reply.
    ///   - bytes: The size of the encoded command.
    ///   - silence: How long the server may be silent, in nanoseconds.
    ///   - setting: The setting that `silence` comes from, for messages.
    ///   - now: The current time.
    mutating func submit(
        _ waiter: Waiter, bytes: Int, silence: UInt64, of setting: ReplyTimeout.Setting = .command, now: UInt64
    ) -> Submission {
        if let end = self.end { return .refuse(end) }
        guard self.pending.count < Self.commandLimit,
            self.pending.isEmpty || self.pendingBytes + bytes <= Self.byteLimit
        else {
            return .refuse(
                RedisError(
                    .tooManyCommands, "more than \(self.pending.count) commands wait for a reply", isTransient: true))
        }
        self.pending.append(Pending(waiter: waiter, sent: now, silence: silence, setting: setting, bytes: bytes))
        self.pendingBytes += bytes
        // A new command only ever moves the timer forward. A timer that fires too early just checks again.
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

    /// Records that the next reply is complete but not parsed yet. Its command no longer has a deadline.
    mutating func replyIsHere() {
        self.isHere = true
    }

    /// Returns the action for the next reply. Replies arrive in the order of the commands.
    ///
    /// - Parameter now: The current time; evaluated only if the reply was complete before it was parsed.
    mutating func replyArrived(now: @autoclosure () -> UInt64) -> Arrival {
        if self.end != nil { return .ignore }
        guard let first = self.pending.popFirst() else { return .unexpected }
        self.pendingBytes -= first.bytes
        self.begun = nil
        if self.isHere {
            // Replies to later commands could not be read until now, so their silence starts now.
            self.isHere = false
            self.lastBytes = now()
        }
        return .deliver(first.waiter)
    }

    /// Checks whether the server was silent for too long.
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
        // A later command may have a shorter limit, which applies once it is the oldest.
        let shortest = self.pending.lazy.map(\.silence).min() ?? first.silence
        let next = min(silent, endless, now &+ shortest)
        self.timer = next
        return .again(at: next)
    }

    /// Ends the queue: returns the waiters to notify and refuses all later commands with `error`.
    ///
    /// Only the first call has an effect; later calls return an empty array.
    mutating func close(_ error: RedisError) -> [Waiter] {
        guard self.end == nil else { return [] }
        self.end = error
        self.timer = nil
        self.pendingBytes = 0
        defer { self.pending = [] }
        return self.pending.map(\.waiter)
    }
}
