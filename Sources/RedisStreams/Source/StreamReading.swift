import Logging
import RedisClient

/// A way to read a stream: following all of it (`StreamReader`) or sharing it with a group (`GroupReader`).
///
/// The reader decides what to read, with a pure machine. `StreamDriver` calls it: for each connection `connect`, `open`
/// and `read`, then `close`, and `disconnected` if the connection ended before the reader was stopped.
protocol StreamReading: AnyObject {
    /// The connection, or the connections if the reader needs several.
    associatedtype Link

    /// Opens the connections, with `StreamDriver.connect`.
    func connect() async throws(RedisError) -> Link

    /// Closes the connections, however reading ended.
    func close(_ link: Link)

    /// Prepares reading: queries the server and delivers everything that precedes the first read.
    ///
    /// - Returns: The metadata to log when reading begins.
    func open(_ link: Link, _ deliver: StreamDriver.Deliver) async throws(ReadEnd) -> Logger.Metadata

    /// Reads until the reader is stopped.
    func read(_ link: Link, _ deliver: StreamDriver.Deliver) async throws(ReadEnd)

    /// Handles the end of the connections.
    ///
    /// - Throws: The error if it ends the run.
    func disconnected(by end: ReadEnd) async throws -> StreamDriver.Recovery

    /// The metadata to log when a connection is retried.
    var retryMetadata: Logger.Metadata { get }

    /// The entry that is read next, for the message if it is too large.
    var nextEntry: String { get }
}
