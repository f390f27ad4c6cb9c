import NIOCore

/// Limits on the resources that clients can make the admin server use.
enum AdminLimits {
    /// Maximum number of connections. A further one replaces the connection of an unproven client (`ConnectionShares`).
    /// Scrapers, probes and a few people need far fewer, and the limits of event streams leave enough for them.
    static let connections = 128
    /// Connections that proven clients cannot occupy: enough for a dozen probes and new clients at the same moment.
    static let connectionReserve = 16
    /// Time that an unproven client has for a request's headers, including the TLS handshake, and maximum idle time of
    /// its connection.
    static let unprovenTime = TimeAmount.seconds(5)
    /// Connections in the accept queue.
    static let backlog = 64
    /// Bytes of the request target, and of any one header with its name: store keys may be long.
    static let headerFieldBytes = 16 * 1024
    /// Bytes of all headers of a request.
    static let headerListBytes = 32 * 1024
    /// Headers of a request.
    static let headerCount = 100
    /// Time that a client has to send a request's headers and its body, and maximum idle time of a connection.
    static let idleTime = TimeAmount.seconds(30)
    /// Maximum time without progress while a client reads a response that does not fit into the socket's buffers. A
    /// shutdown waits at most this long for an export to such a client.
    static let stallTime = TimeAmount.seconds(10)
    /// Concurrent dashboards and `sluice top` commands.
    static let liveStreams = 16
    /// Concurrent taps: each one costs the pipeline time while it is open.
    static let tapStreams = 4
    /// Concurrent gateways that follow revocations.
    static let revocationStreams = 64
    /// Minimum time between two documents of a live stream: one second, less what a timer may be early.
    static let liveInterval: Duration = .milliseconds(900)
    /// Interval at which streams check for new data if nothing wakes them.
    static let beat = TimeAmount.seconds(1)
    /// Time without events after which a stream sends a comment, to detect a client that has gone.
    static let keepAlive: Duration = .seconds(5)
    /// Size in bytes from which a piece of a stream is assumed to be incomplete, so that more is requested immediately.
    static let streamPieceBytes = 16 * 1024
    /// Lines queued for one tap.
    static let tapQueue = 1024
    /// Lines per second for one tap: nobody reads faster, and each one takes a microsecond or two of the pipeline's
    /// thread.
    static let tapEventsASecond = 1024
    /// Revocations kept for clients that reconnect, limited by count and by bytes of their keys: enough for minutes,
    /// unless all sessions are revoked together.
    static let revocationsKept = 65_536
    /// See `revocationsKept`.
    static let revocationBytesKept = 8 << 20
    /// Revocations sent in one piece.
    static let revocationPage = 256
    /// Concurrent exports: each one has a thread, and more would only slow each other down.
    static let exports = 2
    /// Snapshots in the response to a lookup by an indexed field: a person has a handful of sessions, and the store's
    /// changes wait for some microseconds per 64 of them.
    static let indexedSnapshots = (default: 100, maximum: 1000)
    /// Bytes of the snapshots in such a response, which is built in memory.
    static let indexedBytes = 4 << 20
    /// Bytes after which an export passes a piece to its connection.
    static let exportChunkBytes = 64 * 1024
    /// Pieces that an export may be ahead of its connection.
    static let exportChunksAhead = 2
}
