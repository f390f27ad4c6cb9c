import NIOCore

/// The bounds of what clients can make the admin server hold.
enum AdminLimits {
    /// Connections at a time: a further one takes the place of one whose client has proven nothing (`ConnectionShares`).
    /// Scrapers, probes and a few people need far fewer, and streams of events have limits that leave them enough.
    static let connections = 128
    /// Places among them that no proven connection keeps: a dozen probes and newcomers at the same moment.
    static let connectionReserve = 16
    /// How long a client that has proven nothing may take for a request's head, the TLS handshake included, or keep a
    /// connection without a request.
    static let unprovenTime = TimeAmount.seconds(5)
    /// Connections that wait to be accepted.
    static let backlog = 64
    /// Bytes of the request line's target, and of any one header with its name: a key of a store may be long.
    static let headerFieldBytes = 16 * 1024
    /// Bytes of all headers of a request.
    static let headerListBytes = 32 * 1024
    /// Headers of a request.
    static let headerCount = 100
    /// How long a client may take to send a request's headers, and its body, or keep a connection without a request.
    static let idleTime = TimeAmount.seconds(30)
    /// How long a client may read nothing of a response that does not fit into the socket's buffers. Also what a shutdown
    /// waits for at most, as an export to such a client cannot end otherwise.
    static let stallTime = TimeAmount.seconds(10)
    /// Dashboards and `sluice top` at a time.
    static let liveStreams = 16
    /// Taps at a time: each costs the pipeline something while it is open.
    static let tapStreams = 4
    /// Gateways at a time that follow revocations.
    static let revocationStreams = 64
    /// The least time between two documents of a live stream: a beat of a second, less what its timer may be early.
    static let liveInterval: Duration = .milliseconds(900)
    /// The beat that streams look for news at, where nobody wakes them.
    static let beat = TimeAmount.seconds(1)
    /// How long a stream says nothing before it sends a comment: a client that has gone is noticed then.
    static let keepAlive: Duration = .seconds(5)
    /// Bytes from which on a piece of a stream is taken to be a part of what there is.
    static let streamPieceBytes = 16 * 1024
    /// Lines that wait for one tap.
    static let tapQueue = 1024
    /// Lines a second for one tap: nobody reads faster, and each takes a microsecond or two of the pipeline's thread.
    static let tapEventsASecond = 1024
    /// Revocations kept for clients that come back, and bytes of their keys: minutes, unless all are revoked at once.
    static let revocationsKept = 65_536
    /// See `revocationsKept`.
    static let revocationBytesKept = 8 << 20
    /// Revocations sent in one piece.
    static let revocationPage = 256
    /// Exports at a time: each has a thread, and more would only slow each other down.
    static let exports = 2
    /// Bytes after which an export hands a piece to its connection.
    static let exportChunkBytes = 64 * 1024
    /// Pieces that an export may be ahead of its connection.
    static let exportChunksAhead = 2
}
