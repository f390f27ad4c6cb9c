import NIOCore
import RESP

/// A connection of the Redis door without I/O: decides when to read, to answer, to write and to close.
///
/// A shell (`RedisDoorShell`) reports what has happened, and then carries out `next()` until nothing is left to do.
/// While the client does not take its replies, nothing is read or answered.
struct RedisDoorCore: ~Copyable {
    /// The next step of a shell.
    enum Action: Sendable {
        /// Nothing: wait for the client.
        case wait
        /// Pass the output to the client, and report the result to `didWrite`.
        case write
        /// Report to the loop that sessions were read, which the client may keep.
        case noteAnswers
        /// Add the connection to those that take invalidations or messages, or remove it.
        case setTarget(Bool)
        /// Call `resume` when other connections have had their turn.
        case yield
        /// End the output behind the bytes that were passed on.
        case endOutput
        /// Close the connection.
        case close
    }

    /// The number of the connection.
    let id: UInt64
    /// The state that the connections of a thread share.
    let loop: RedisDoorLoop
    /// The requests and replies.
    var pipeline: RedisPipeline
    private let connections: DoorConnections
    private let metrics: RedisMetrics
    private var state: DoorConnectionState
    /// The number of commands that may still be answered before other connections have their turn.
    private var left = RedisLimits.commandsPerTurn
    /// Whether the client takes replies.
    private(set) var isWritable = true
    /// Bytes of invalidations and messages since the client last took what was waiting. A long reply that waits is not
    /// among them: its client is not slow.
    private(set) var pushedBytes = 0
    /// Whether received bytes wait for an answer.
    private var hasRequests = false
    /// Whether other connections have their turn.
    private var isTurnOver = false
    /// Whether the shell knows that.
    private var hasYielded = false
    /// Whether the loop has to be notified of answers.
    private var hasNewAnswers = false
    /// Whether the output is to be passed on.
    private var isFlushDue = false
    /// Whether nothing more is answered.
    private var isLast = false
    private var isOutputEnded = false
    private var isCloseDue = false
    private var isClosed = false
    /// Whether the client has been let in and has sent a command.
    private var isProven = false
    /// Whether the loop passes invalidations or messages.
    private var isTarget = false
    /// Whether the shell is carrying out actions.
    private var isBusy = false

    /// Creates the state of a connection that has entered the door's `connections`.
    init(_ parts: RedisDoorParts, _ loop: RedisDoorLoop, _ metrics: RedisMetrics) {
        self.id = parts.nextID()
        self.loop = loop
        self.pipeline = RedisPipeline(RedisDoorConnection(parts, loop.inbox, id: self.id))
        self.connections = parts.connections
        self.metrics = metrics
        self.state = DoorConnectionState(loop.connections, parts.connections)
    }

    // MARK: Events

    /// Registers the connection.
    func enter(_ handler: any DoorConnectionHandler) {
        self.state.enter(handler)
        self.metrics.setConnections(self.connections.count)
    }

    /// Removes the connection, whose socket is closed; may be called again.
    mutating func leave(_ handler: any DoorConnectionHandler) {
        guard self.state.leave(handler) else { return }
        self.isClosed = true
        self.pipeline.connection.leave()
        if self.isTarget { self.loop.removeTarget(self.id) }
        self.isTarget = false
        self.metrics.setConnections(self.connections.count)
    }

    /// Takes received bytes.
    mutating func receive(_ bytes: consuming ByteBuffer) {
        if self.isLast || self.isClosed { return }
        self.pipeline.receive(bytes)
        if !self.hasRequests { self.left = RedisLimits.commandsPerTurn }
        self.hasRequests = true
    }

    /// Other connections have had their turn.
    mutating func resume() {
        self.isTurnOver = false
        self.hasYielded = false
        self.left = RedisLimits.commandsPerTurn
    }

    /// The output that the shell could not pass on can be passed on now.
    mutating func retryWrite() {
        self.isFlushDue = true
    }

    /// The client takes replies, or takes none for now.
    mutating func setWritable(_ isWritable: Bool) {
        // While the client took none, other connections have had their turn.
        if isWritable, !self.isWritable, !self.isTurnOver { self.left = RedisLimits.commandsPerTurn }
        self.isWritable = isWritable
        if isWritable { self.pushedBytes = 0 }
    }

    /// Writes invalidations or messages behind the replies.
    ///
    /// - Returns: Whether so many wait that they have to be passed on before there are more.
    mutating func push(_ body: (borrowing RedisDoorConnection, inout ByteBuffer) -> Void) -> Bool {
        if self.isLast || self.isClosed { return false }
        let before = self.pipeline.output.readableBytes
        self.pipeline.push(body)
        self.pushedBytes += self.pipeline.output.readableBytes - before
        return self.pushedBytes > RedisLimits.outputBytes
    }

    /// Passes invalidations and messages on.
    mutating func flushPushes() {
        if !self.isLast { self.isFlushDue = true }
    }

    /// Closes the connection of a client that has missed messages, or does not take invalidations.
    mutating func closeSlow() {
        guard !self.isLast, !self.isClosed else { return }
        self.isLast = true
        self.metrics.door.count(.slow)
        self.isCloseDue = true
    }

    /// Closes the connection if its client is too slow. As in Redis, a client without a request in flight is never
    /// closed: pools keep idle connections.
    mutating func closeIfLate() {
        if !(self.pipeline.isPartial || self.isLast || !self.isProven || !self.isWritable) {
            self.state.touch()
        } else if self.state.isIdle(for: GatewayLimits.requestSeconds) {
            self.isCloseDue = true
        }
    }

    /// Closes the connection: it has failed, or its time is up.
    mutating func close() {
        self.isCloseDue = true
    }

    // MARK: Reads

    /// Whether to read: not while requests wait, or while the client does not take its replies.
    var canProceed: Bool { !self.hasRequests && self.isWritable }

    /// Whether to read now; otherwise `releaseRead` says when.
    mutating func mayRead() -> Bool { self.state.mayRead(self.canProceed) }

    /// Whether a read that was held back is due.
    mutating func releaseRead() -> Bool { self.state.releaseRead(self.canProceed) }

    /// Whether the client has subscriptions.
    var isSubscriber: Bool { self.pipeline.connection.subscriptions > 0 }

    // MARK: Actions

    /// Begins to carry out actions; returns `false` if that has begun already. An action may come back to the shell,
    /// such as a write after which the channel is writable again: the first call carries on.
    mutating func begin() -> Bool {
        if self.isBusy { return false }
        self.isBusy = true
        return true
    }

    /// The next action of the shell; `wait` ends what `begin` has begun.
    mutating func next() -> Action {
        if self.isClosed { return self.rest() }
        if self.isCloseDue {
            self.isClosed = true
            // What still arrives is read and discarded: TLS ends with a message of the client.
            self.endRequests()
            self.isWritable = true
            return .close
        }
        if self.hasRequests, self.isWritable, !self.isTurnOver, !self.isFlushDue { self.answer() }
        if self.hasNewAnswers {
            self.hasNewAnswers = false
            return .noteAnswers
        }
        if self.isFlushDue {
            self.isFlushDue = false
            if self.pipeline.output.readableBytes > 0 { return .write }
        }
        let takesPushes = self.pipeline.connection.takesPushes && !self.isLast
        if takesPushes != self.isTarget {
            self.isTarget = takesPushes
            return .setTarget(takesPushes)
        }
        // Behind all replies. The client then closes the connection, or its time is up.
        if self.isLast, !self.isOutputEnded, self.pipeline.output.readableBytes == 0 {
            self.isOutputEnded = true
            return .endOutput
        }
        if self.isTurnOver, !self.hasYielded {
            self.hasYielded = true
            return .yield
        }
        // The client has taken replies, and requests wait whose replies were not passed on yet.
        if self.hasRequests, self.isWritable, !self.isTurnOver { return self.next() }
        return self.rest()
    }

    private mutating func rest() -> Action {
        self.isBusy = false
        return .wait
    }

    /// Answers received requests until their replies are to be passed on.
    private mutating func answer() {
        let start = NIODeadline.now()
        self.isFlushDue = true
        do throws(RESPError) {
            switch try self.pipeline.answer(&self.left) {
            case .done: self.hasRequests = false
            case .full: break
            case .turn: self.isTurnOver = true
            case .close: self.endRequests()
            }
        } catch {
            self.endRequests()
            self.pipeline.output.writeError("ERR Protocol error: \(error.message)")
            let isLimit = if case .limitExceeded = error.kind { true } else { false }
            self.metrics.door.count(isLimit ? .arguments : .malformed)
        }
        if self.pipeline.connection.tally.commands > 0 { self.note(since: start) }
    }

    private mutating func endRequests() {
        self.isLast = true
        self.hasRequests = false
        self.pipeline.discard()
    }

    /// Passes the counts of the commands to the metrics.
    private mutating func note(since start: NIODeadline) {
        self.isProven = self.isProven || self.pipeline.connection.isAuthenticated
        // A request that arrives byte by byte, and a client without a password, do not get more time.
        if self.isProven { self.state.touch() }
        if self.pipeline.connection.tally.hasAnswered, self.loop.wantsAnswers { self.hasNewAnswers = true }
        self.metrics.count(
            self.pipeline.connection.tally, nanoseconds: (NIODeadline.now() - start).nanoseconds)
        self.pipeline.connection.tally.reset()
    }
}
