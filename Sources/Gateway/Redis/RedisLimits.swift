import NIOCore
import RESP

/// Limits on the resources that clients can make the Redis door use.
enum RedisLimits {
    /// The limits of a request. A gateway's requests have some hundred bytes.
    static let request = RESPLimits(
        bulkBytes: argumentBytes, lineBytes: 1024, arrayElements: arguments, replyTokens: arguments + 1,
        replyBytes: requestBytes, nesting: 1, pendingBytes: requestBytes + feedBytes + maximumRead)
    /// Bytes of an argument: a key of a store has at most as many.
    static let argumentBytes = 64 << 10
    /// Arguments of a request, with the command's name: an MGET of a thousand keys.
    static let arguments = 1024
    /// Bytes of all arguments of a request.
    static let requestBytes = 1 << 20
    /// Bytes that are parsed together: hiredis moves the rest of its input after each kilobyte.
    static let feedBytes = 8 << 10
    /// The most that one read of the socket returns.
    static let maximumRead = 64 << 10
    /// Commands that a connection is answered before others have their turn: about a millisecond of work.
    static let commandsPerTurn = 512
    /// Bytes of a reply. A client that wants more asks for fewer keys.
    static let replyBytes = 8 << 20
    /// Bytes of replies that are collected before they are passed to the socket.
    static let flushBytes = 64 << 10
    /// Bytes of invalidations and messages that may wait for a client. One that does not take them is closed, so that
    /// it drops its cache; 1 MiB is some 20,000 invalidations.
    static let outputBytes = 1 << 20
    /// Wrong passwords of a connection, after which it is closed.
    static let passwords = 8
    /// Channels and patterns of a connection.
    static let subscriptions = 64
    /// Bytes of a channel's name or a pattern, also that of SCAN: matching takes time by their product.
    static let patternBytes = 256
    /// Prefixes of a connection with CLIENT TRACKING BCAST.
    static let prefixes = 16
    /// Bytes of a connection's name and of the other texts that are kept for it.
    static let nameBytes = 128
    /// Keys that are remembered for a connection with CLIENT TRACKING; beyond them, everything is
    /// invalidated for it.
    static let trackedKeys = 100_000
    /// Keys that are remembered for all connections of a thread, about 100 bytes each; beyond them, everything is
    /// invalidated for the connection that has most of them.
    static let trackedKeysOfAll = 1_000_000
    /// Removals of remembered keys under one lock, for which the stream's thread may have to wait: about 0.1 ms.
    static let removals = 1024
    /// Changed keys that wait for a thread of the door; beyond them, everything is invalidated.
    static let pendingKeys = 65_536
    /// Bytes of these keys.
    static let pendingKeyBytes = 4 << 20
    /// Bytes of messages that wait for a thread of the door; beyond them, its subscribers are closed.
    static let pendingMessageBytes = 4 << 20
    /// Keys that a SCAN looks at, whatever its COUNT.
    static let scanKeys = 1000
    /// Commands between MULTI and EXEC.
    static let queuedCommands = 128
    /// The longest time between two checks of the store's freshness while clients cache.
    static let checkInterval = TimeAmount.seconds(1)
    /// The same while the store is stale, if another thread may answer as soon as it is fresh.
    static let staleCheckInterval = TimeAmount.milliseconds(50)
    /// The shortest such time. An invalidation of everything is late by at most this and the millisecond to which the wait
    /// for sockets is rounded up.
    static let shortestCheck = TimeAmount.milliseconds(1)
}
