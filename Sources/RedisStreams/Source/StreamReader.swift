import ComponentKit
import Logging
import RedisClient
import StageKit

/// Follows all entries of a stream. `Follower` decides where to read and how to respond to lost entries; the reader
/// sends its queries and reads, with the means of `StreamDriver`.
final class StreamReader: StreamReading {
    let driver: StreamDriver
    /// The index of this stream in the source.
    let index: Int
    /// Decides where to read, and how to respond to lost entries.
    let follower: Follower
    /// Whether batches without entries are to be delivered while the stream is silent.
    let isTimed: () -> Bool
    /// The setting of the same name; to read it from the driver's settings would copy them all for every reply.
    let maxStaleness: Duration?

    /// Creates a reader that has not started.
    ///
    /// - Parameters:
    ///   - index: The index of this stream in the source.
    ///   - stores: The stores that the events update.
    ///   - checkpoint: Keeps the stores across restarts, or `nil`.
    ///   - isTimed: Whether batches without entries are to be delivered while the stream is silent.
    ///   - loadBookmark: Loads the checkpoint and returns this stream's bookmark.
    init(
        _ driver: StreamDriver, index: Int, stores: FedStores, checkpoint: (any CheckpointKeeper)?,
        isTimed: @escaping () -> Bool, loadBookmark: @escaping () throws -> String?
    ) {
        self.driver = driver
        self.isTimed = isTimed
        self.maxStaleness = driver.streamSettings.maxStaleness
        self.index = index
        self.follower = Follower(
            driver.streamSettings, database: driver.settings.database, stores: stores, index: index,
            checkpoint: checkpoint, loadBookmark: loadBookmark, logger: driver.logger, update: driver.update)
    }

    /// Reads until the reader is stopped; reconnects if that can help.
    func run(_ deliver: StreamDriver.Deliver) async throws {
        try self.follower.loadCheckpoint()
        try await self.driver.run(self, deliver)
    }

    /// Opens the connection.
    func connect() async throws(RedisError) -> RedisConnection {
        let connection = try await self.driver.connect(stop: self.driver.stop)
        self.follower.stores.setInterrupt(of: self.index) { connection.close() }
        // Without a connection, there was nothing to interrupt.
        self.follower.takeRefill()
        return connection
    }

    /// Closes the connection.
    func close(_ connection: RedisConnection) {
        self.follower.stores.setInterrupt(of: self.index, nil)
        connection.close()
    }

    /// Responds to lost entries, and to stores that were emptied for another stream.
    func disconnected(by end: ReadEnd) async throws -> StreamDriver.Recovery {
        let isToRefill = self.follower.disconnected()
        if isToRefill {
            self.driver.logger.notice(
                "the stores were emptied because of another stream: reading again",
                metadata: ["stream": "\(self.driver.streamSettings.stream)"])
        }
        switch end {
        case .deliver(let error): throw error
        case .gap(let gap, let response):
            try self.follower.respond(to: gap, response)
            // Immediately, because the next connection may take long.
            try await self.follower.announceResets(finished: false)
            return .reopen
        case .server(let error):
            if self.driver.stop.isStopped { return .stop }
            // Closed in order to be read again; the server is healthy.
            return isToRefill && error.code == .closed ? .reconnect : .retry(error)
        }
    }

    /// The cursor.
    var retryMetadata: Logger.Metadata {
        ["cursor": "\(self.follower.machine.cursor?.description ?? "not known yet")"]
    }

    /// The entry after the cursor.
    var nextEntry: String {
        "the entry of \(self.driver.streamSettings.stream) after \(self.follower.machine.cursor?.description ?? "0-0")"
    }
}
