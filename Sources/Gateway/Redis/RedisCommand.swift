import NIOCore

/// A command of the Redis door.
enum RedisCommand: String, CaseIterable, Sendable {
    // The most frequent ones first: the table is searched in this order.
    case hgetall, hmget, hget, get, sismember, exists, mget, hexists, hlen, smismember, type, ttl, pttl, scan
    case ping, multi, exec, discard, client, hello, auth, select, echo
    case subscribe, psubscribe, unsubscribe, punsubscribe
    case info, command, reset, quit

    /// The properties of a command, for checks and for `COMMAND`.
    struct Facts: Sendable {
        /// The command.
        let command: RedisCommand
        /// The number of arguments with the name; a negative number is a minimum.
        let arity: Int
        /// The positions of keys: first, last and step.
        let keys: (first: Int, last: Int, step: Int)
        /// One sentence for `COMMAND DOCS`.
        let summary: String
        /// The group in `COMMAND DOCS`.
        let group: String
    }

    /// A command in the table that requests are compared with: without anything that has to be retained.
    struct Signature: Sendable {
        /// The name.
        let name: CommandName?
        /// The command.
        let command: RedisCommand
        /// As in `Facts`.
        let arity: Int

        /// Whether a request has a valid number of arguments.
        @inline(__always)
        func accepts(_ count: Int) -> Bool { self.arity < 0 ? count >= -self.arity : count == self.arity }
    }

    /// Whether it reads sessions, so that it gets no answer while the store must not answer.
    var readsSessions: Bool {
        switch self {
        case .hgetall, .hmget, .hget, .get, .sismember, .exists, .mget, .hexists, .hlen, .smismember, .type, .ttl,
            .pttl, .scan:
            true
        default: false
        }
    }

    /// Whether a client may use it before it has sent the password.
    var isOpen: Bool { [.hello, .auth, .quit, .reset].contains(self) }

    /// Whether a RESP2 client may use it while it has subscriptions.
    var isForSubscribers: Bool {
        [.subscribe, .psubscribe, .unsubscribe, .punsubscribe, .ping, .quit, .reset].contains(self)
    }

    /// The facts of all commands.
    static let table: [Facts] = [
        facts(.hgetall, 2, key, "Returns all fields of a session.", "hash"),
        facts(.hmget, -3, key, "Returns some fields of a session.", "hash"),
        facts(.hget, 3, key, "Returns a field of a session.", "hash"),
        facts(.get, 2, key, "Returns a session as JSON.", "string"),
        facts(.sismember, 3, key, "Returns whether a session meets a condition.", "set"),
        facts(.exists, -2, (1, -1, 1), "Returns how many of the sessions exist.", "generic"),
        facts(.mget, -2, (1, -1, 1), "Returns sessions as JSON.", "string"),
        facts(.hexists, 3, key, "Returns whether a session has a field.", "hash"),
        facts(.hlen, 2, key, "Returns the number of a session's fields.", "hash"),
        facts(.smismember, -3, key, "Returns which sessions meet a condition.", "set"),
        facts(.type, 2, key, "Returns the type of a key.", "generic"),
        facts(.ttl, 2, key, "Returns -1: sessions do not expire.", "generic"),
        facts(.pttl, 2, key, "Returns -1: sessions do not expire.", "generic"),
        facts(.scan, -2, none, "Lists keys.", "generic"),
        facts(.ping, -1, none, "Returns PONG, or the argument.", "connection"),
        facts(.multi, 1, none, "Collects commands until EXEC.", "transactions"),
        facts(.exec, 1, none, "Executes the collected commands.", "transactions"),
        facts(.discard, 1, none, "Drops the collected commands.", "transactions"),
        facts(.client, -2, none, "Sets or returns properties of the connection.", "connection"),
        facts(.hello, -1, none, "Sets the protocol, and authenticates.", "connection"),
        facts(.auth, -2, none, "Authenticates the connection.", "connection"),
        facts(.select, 2, none, "Selects database 0, the only one.", "connection"),
        facts(.echo, 2, none, "Returns the argument.", "connection"),
        facts(.subscribe, -2, none, "Listens to channels.", "pubsub"),
        facts(.psubscribe, -2, none, "Listens to channels that match patterns.", "pubsub"),
        facts(.unsubscribe, -1, none, "Stops listening to channels.", "pubsub"),
        facts(.punsubscribe, -1, none, "Stops listening to patterns.", "pubsub"),
        facts(.info, -1, none, "Returns information about the server.", "server"),
        facts(.command, -1, none, "Returns information about commands.", "server"),
        facts(.reset, 1, none, "Resets the connection.", "connection"),
        facts(.quit, 1, none, "Closes the connection.", "connection"),
    ]

    private static let key = (first: 1, last: 1, step: 1)
    private static let none = (first: 0, last: 0, step: 0)

    private static func facts(
        _ command: RedisCommand, _ arity: Int, _ keys: (first: Int, last: Int, step: Int), _ summary: String,
        _ group: String
    ) -> Facts {
        Facts(command: command, arity: arity, keys: keys, summary: summary, group: group)
    }

    private static let signatures = table.map {
        Signature(name: CommandName($0.command.rawValue.utf8.span), command: $0.command, arity: $0.arity)
    }

    /// The command of a request, or `nil` if there is no such command.
    static func find(_ request: RedisRequest) -> Signature? {
        guard let name = request.with(0, { CommandName($0) }) else { return nil }
        for signature in self.signatures where signature.name == name { return signature }
        return nil
    }

    /// The commands of Redis that write, which are refused as such.
    static let writes: Set<String> = [
        "append", "bitfield", "bitop", "blmove", "blmpop", "blpop", "brpop", "brpoplpush", "bzmpop", "bzpopmax",
        "bzpopmin", "copy", "decr", "decrby", "del", "expire", "expireat", "flushall", "flushdb", "geoadd",
        "geosearchstore", "getdel", "getex", "getset", "hdel", "hexpire", "hexpireat", "hgetdel", "hgetex", "hincrby",
        "hincrbyfloat", "hmset", "hpersist", "hpexpire", "hpexpireat", "hset", "hsetex", "hsetnx", "incr", "incrby",
        "incrbyfloat", "linsert", "lmove", "lmpop", "lpop", "lpush", "lpushx", "lrem", "lset", "ltrim", "move", "mset",
        "msetnx", "persist", "pexpire", "pexpireat", "pfadd", "pfmerge", "psetex", "publish", "rename", "renamenx",
        "restore", "rpop", "rpoplpush", "rpush", "rpushx", "sadd", "sdiffstore", "set", "setbit", "setex", "setnx",
        "setrange", "sinterstore", "smove", "spop", "spublish", "srem", "sunionstore", "swapdb", "unlink", "xack",
        "xadd", "xautoclaim", "xclaim", "xdel", "xgroup", "xreadgroup", "xsetid", "xtrim", "zadd", "zdiffstore",
        "zincrby", "zinterstore", "zmpop", "zpopmax", "zpopmin", "zrangestore", "zrem", "zremrangebylex",
        "zremrangebyrank", "zremrangebyscore", "zunionstore",
    ]
}

// COMMAND: as much as redis-cli and clients that look for the positions of keys need.
extension RedisCommand.Facts {
    /// Writes the command's part of the reply to `COMMAND`.
    func write(to output: inout ByteBuffer, _ version: RedisProtocol) {
        output.writeArray(6)
        output.writeBulk(self.command.rawValue)
        output.writeNumber(self.arity)
        let flags: [StaticString] = self.command.readsSessions ? ["readonly", "fast"] : ["loading", "stale", "fast"]
        output.writeSet(flags.count, version)
        for flag in flags { output.writeSimple(flag) }
        for number in [self.keys.first, self.keys.last, self.keys.step] { output.writeNumber(number) }
    }

    /// Writes the command's part of the reply to `COMMAND DOCS`.
    func writeDocumentation(to output: inout ByteBuffer, _ version: RedisProtocol) {
        output.writeBulk(self.command.rawValue)
        output.writeMap(3, version)
        for (name, text) in [("summary", self.summary), ("since", "1.0.0"), ("group", self.group)] {
            output.writeBulk(name)
            output.writeBulk(text)
        }
    }
}
