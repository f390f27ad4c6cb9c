import NIOCore
import RESP

/// A connection of the Redis door, without I/O: turns requests into replies, and changes into invalidations.
///
/// It keeps memory between requests, so that reading a session allocates nothing.
struct RedisDoorConnection: ~Copyable {
    /// The next step after a reply.
    enum Step: Sendable {
        /// The next request.
        case next
        /// The end of the connection, behind the reply.
        case close
    }

    /// The settings of `CLIENT TRACKING`.
    struct Tracking: Sendable {
        /// Which reads are remembered.
        enum Mode: Sendable {
            case all, optIn, optOut
        }

        /// Whether the client caches.
        var isOn = false
        /// Whether it receives every change of keys with `prefixes` instead of changes of the keys it has read.
        var isBroadcast = false
        /// The prefixes; all keys if there are none.
        var prefixes: [[UInt8]] = []
        /// Which reads are remembered.
        var mode = Mode.all
    }

    /// The state that all connections share.
    let parts: RedisDoorParts
    /// The state that the connections of a thread share.
    let inbox: RedisInbox
    /// The number of the connection.
    let id: UInt64
    /// The protocol.
    var version = RedisProtocol.two
    /// Whether the client may read.
    var isAuthenticated: Bool
    /// The number of wrong passwords.
    var wrongPasswords = 0
    /// The name that the client has given itself.
    var name: [UInt8] = []
    /// The subscribed channels.
    var channels: [[UInt8]] = []
    /// The subscribed patterns.
    var patterns: [GlobPattern] = []
    /// The settings of `CLIENT TRACKING`.
    var tracking = Tracking()
    /// The last `CLIENT CACHING`, until the next command has been executed.
    var cachingNext: Bool?
    /// Whether the client has asked for conditions, whose keys it may cache.
    var hasAskedConditions = false
    /// Whether a read of a client that caches was answered with an error.
    var hasRefusedRead = false
    /// The commands since MULTI, or `nil`.
    var transaction: [RedisRequest]?
    /// The bytes of these commands.
    private var transactionBytes = 0
    /// Whether a command since MULTI was refused.
    var isTransactionBroken = false
    /// Counts for the metrics.
    var tally = RedisTally()
    /// The fields of the session read last.
    var fields = SnapshotFields()
    /// The names of fields by number; `nil` if not known yet.
    var names: [[UInt8]?] = []
    /// The same names as byte strings of a reply; empty for fields that are not shown.
    var nameReplies: [[UInt8]] = []
    /// The session read last, as JSON.
    var json: [UInt8] = []

    /// Creates a connection.
    init(_ parts: RedisDoorParts, _ inbox: RedisInbox, id: UInt64) {
        self.parts = parts
        self.inbox = inbox
        self.id = id
        self.isAuthenticated = !parts.needsPassword
    }

    /// Whether changes or messages may be written behind replies.
    var takesPushes: Bool { self.tracking.isOn || self.subscriptions > 0 }

    /// The number of subscriptions.
    var subscriptions: Int { self.channels.count + self.patterns.count }

    /// Answers a parsed request.
    mutating func answer(_ reply: RESPReply, into output: inout ByteBuffer) -> Step {
        guard let request = RedisRequest(reply) else {
            if reply[0].kind == .null { return .next }
            output.writeError("ERR Protocol error: expected a list of byte strings")
            return .close
        }
        // As Redis does with an empty list.
        if request.count == 0 { return .next }
        return self.answer(request, into: &output)
    }

    /// Answers a request.
    mutating func answer(_ request: RedisRequest, into output: inout ByteBuffer) -> Step {
        self.tally.commands += 1
        let entry = RedisCommand.find(request)
        guard self.isAuthenticated || entry?.command.isOpen == true else {
            self.tally.unauthorized += 1
            output.writeError("NOAUTH Authentication required.")
            return .next
        }
        guard let entry else {
            self.isTransactionBroken = true
            self.refuseUnknown(request, into: &output)
            return .next
        }
        let command = entry.command
        guard entry.accepts(request.count) else {
            self.isTransactionBroken = true
            output.writeError("ERR wrong number of arguments for '\(command.rawValue)' command")
            return .next
        }
        if self.version == .two, self.subscriptions > 0, !command.isForSubscribers {
            output.writeError(
                "ERR Can't execute '\(command.rawValue)': only (P)SUBSCRIBE, (P)UNSUBSCRIBE, PING, QUIT and RESET are"
                    + " allowed in this context")
            return .next
        }
        if self.transaction != nil, ![.exec, .discard, .multi, .reset, .quit].contains(command) {
            self.enqueue(command, request, into: &output)
            return .next
        }
        let step = self.execute(command, request, into: &output)
        if self.hasRefusedRead {
            self.hasRefusedRead = false
            // redis-py keeps a placeholder in its cache after an error, and would wait for ever when it asks again.
            self.invalidateAll(into: &output)
        }
        let isCaching = command == .client && request.isWord(1, "CACHING")
        if !isCaching, self.transaction == nil { self.cachingNext = nil }
        return step
    }

    /// Executes a command, whose number of arguments is valid.
    mutating func execute(_ command: RedisCommand, _ request: RedisRequest, into output: inout ByteBuffer) -> Step {
        if command.readsSessions {
            self.read(command, request, into: &output)
            return .next
        }
        switch command {
        case .ping: self.ping(request, into: &output)
        case .echo: request.with(1) { output.writeBulk($0) }
        case .hello: return self.hello(request, into: &output)
        case .auth: return self.authenticate(request, into: &output)
        case .select: self.select(request, into: &output)
        case .client: self.client(request, into: &output)
        case .multi, .exec, .discard: self.transact(command, into: &output)
        case .subscribe, .psubscribe: self.subscribe(command, request, into: &output)
        case .unsubscribe, .punsubscribe: self.unsubscribe(command, request, into: &output)
        case .info: output.writeVerbatim(self.parts.information, self.version)
        case .command: self.describeCommands(request, into: &output)
        case .reset:
            self.reset()
            output.writeSimple("RESET")
        case .quit:
            output.writeSimple("OK")
            return .close
        default: output.writeError("ERR not supported")
        }
        return .next
    }

    /// Ends everything that others keep for the connection. Must be called once, at its end.
    mutating func leave() {
        self.stopTracking()
        self.unsubscribeAll()
    }

    private func refuseUnknown(_ request: RedisRequest, into output: inout ByteBuffer) {
        let name = String(decoding: request.bytes(0).prefix(RedisLimits.nameBytes), as: UTF8.self)
        if RedisCommand.writes.contains(name.lowercased()) {
            output.writeError(
                "READONLY Sluice does not accept writes: its store is filled from a stream ('\(name)' refused)")
        } else {
            output.writeError("ERR unknown command '\(name)'")
        }
    }

    // MARK: Transactions: nothing but several commands in a row

    private mutating func enqueue(_ command: RedisCommand, _ request: RedisRequest, into output: inout ByteBuffer) {
        // What changes the connection itself would change how the rest of the reply is written.
        guard command.readsSessions || [.ping, .echo, .info].contains(command) else {
            self.isTransactionBroken = true
            return output.writeError("ERR '\(command.rawValue)' inside MULTI is not allowed")
        }
        guard (self.transaction?.count ?? 0) < RedisLimits.queuedCommands else {
            self.isTransactionBroken = true
            return output.writeError("ERR more than \(RedisLimits.queuedCommands) commands inside MULTI")
        }
        self.transactionBytes += (0..<request.count).reduce(0) { sum, index in sum + request.with(index) { $0.count } }
        guard self.transactionBytes <= RedisLimits.requestBytes else {
            self.isTransactionBroken = true
            return output.writeError("ERR more than \(RedisLimits.requestBytes) bytes inside MULTI")
        }
        self.transaction?.append(request.copy)
        output.writeSimple("QUEUED")
    }

    private mutating func transact(_ command: RedisCommand, into output: inout ByteBuffer) {
        if command == .multi {
            guard self.transaction == nil else { return output.writeError("ERR MULTI calls can not be nested") }
            self.transaction = []
            self.transactionBytes = 0
            self.isTransactionBroken = false
            return output.writeSimple("OK")
        }
        guard let requests = self.transaction.take() else {
            return output.writeError("ERR \(command == .exec ? "EXEC" : "DISCARD") without MULTI")
        }
        if command == .discard { return output.writeSimple("OK") }
        if self.isTransactionBroken {
            return output.writeError("EXECABORT Transaction discarded because of previous errors.")
        }
        let start = output.writerIndex
        output.writeArray(requests.count)
        for request in requests {
            // Known, because it was found when it was collected.
            guard let command = RedisCommand.find(request)?.command else { continue }
            _ = self.execute(command, request, into: &output)
            if self.isTooLong(&output, since: start) { return }
        }
    }

    /// Replaces a reply that exceeds its limit by an error; returns whether it did.
    func isTooLong(_ output: inout ByteBuffer, since start: Int) -> Bool {
        guard output.writerIndex - start > RedisLimits.replyBytes else { return false }
        output.moveWriterIndex(to: start)
        output.writeError("ERR the reply has more than \(RedisLimits.replyBytes) bytes: ask for less at a time")
        return true
    }
}
