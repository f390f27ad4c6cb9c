import NIOCore

/// The bounds of what clients can make the admin server hold.
enum AdminLimits {
    /// Connections at a time; more wait in the system's queue. Scrapers, probes and a few people need far fewer.
    static let connections = 64
    /// Connections that wait to be accepted.
    static let backlog = 64
    /// Bytes of the request line's target, and of any one header with its name: a key of a store may be long.
    static let headerFieldBytes = 16 * 1024
    /// Bytes of all headers of a request.
    static let headerListBytes = 32 * 1024
    /// Headers of a request.
    static let headerCount = 100
    /// How long a client may take to send a request, or keep a connection without one.
    static let idleTime = TimeAmount.seconds(30)
    /// How long a client may read nothing of a response that does not fit into the socket's buffers. Also what a shutdown
    /// waits for at most, as an export to such a client cannot end otherwise.
    static let stallTime = TimeAmount.seconds(10)
    /// Exports at a time: each has a thread, and more would only slow each other down.
    static let exports = 2
    /// Bytes after which an export hands a piece to its connection.
    static let exportChunkBytes = 64 * 1024
    /// Pieces that an export may be ahead of its connection.
    static let exportChunksAhead = 2
}
