package import ComponentKit
package import Logging
package import RESP
import StageKit

/// One connection to each server that is needed, opened at first use, all on one event loop.
///
/// Usable from any thread. `shutDown` must be called once, when the pool is no longer used.
package final class NodePool: Sendable {
    private struct State {
        var loop: RedisEventLoop?
        var connections: [RedisAddress: RedisConnection] = [:]
        var generation = 0
    }

    private let directory: ServerDirectory
    private let stop: StopSignal
    private let logger: Logger
    private let state = OrderedMutex(State())

    /// Creates a pool without opening a connection.
    ///
    /// - Parameters:
    ///   - settings: The server, the sentinels or the cluster.
    ///   - connections: The connections of the run so far.
    ///   - stop: The signal that cancels connection attempts and closes connections.
    ///   - logger: The logger of the connections.
    package init(_ settings: RedisSettings, _ connections: ConnectionHistory, stop: StopSignal, logger: Logger) {
        self.directory = ServerDirectory(settings, connections)
        self.stop = stop
        self.logger = logger
    }

    /// Returns a connection to the server that holds a key. With `nil`, for commands without a key, any primary will
    /// do.
    package func connection(for key: [UInt8]?) async throws(RedisError) -> RedisConnection {
        // The usual case: the server is known and connected.
        if let address = self.directory.known(for: key), let connection = self.connected(address) { return connection }
        let address = try await self.directory.address(for: key, on: self.loop, stop: self.stop, logger: self.logger)
        return try await self.connection(to: address)
    }

    /// Returns a connection to a server.
    func connection(to address: RedisAddress) async throws(RedisError) -> RedisConnection {
        if let connection = self.connected(address) { return connection }
        let made = try await self.directory.connect(
            to: address, on: self.loop, stop: self.stop, logger: self.logger)
        // If two callers connected at the same time, keep the first connection.
        let kept = self.state.withLock { state in
            if let other = state.connections[address] { return other }
            state.connections[address] = made
            return made
        }
        if kept !== made { made.close() }
        return kept
    }

    /// Returns a connection to each primary.
    func primaries() async throws(RedisError) -> [RedisConnection] {
        var connections: [RedisConnection] = []
        let addresses = try await self.directory.primaries(on: self.loop, stop: self.stop, logger: self.logger)
        for address in addresses { connections.append(try await self.connection(to: address)) }
        return connections
    }

    /// Follows a redirection: sends the command to the server that the answer MOVED or ASK names.
    ///
    /// - Returns: The final answer, which may be an error answer.
    /// - Throws: `RedisError` if a server cannot be reached, or if there are more than `Redirection.limit`
    ///   redirections.
    package func follow(_ first: RedisError, _ command: RESPCommand) async throws(RedisError) -> RESPValue {
        var error = self.directory.judged(first)
        for _ in 0..<Redirection.limit {
            guard let redirection = error.redirection else { throw error }
            let address = redirection.address(toldBy: self.directory.anyAddress)
            let connection = try await self.connection(to: address)
            let replies: [PendingReply]
            switch redirection.kind {
            case .moved:
                self.directory.note(redirection.slot, at: address)
                replies = connection.submit([command])
            case .ask: replies = connection.submit([RESPCommand("ASKING"), command])
            }
            guard let reply = replies.last else { throw error }
            let value = try await reply.reply().value()
            guard case .error(let text) = value, Redirection(text) != nil else { return value }
            error = .answer(text, to: command.name)
        }
        throw error
    }

    /// Returns the final form of an error; see `ServerDirectory.judged`.
    package func judged(_ error: RedisError) -> RedisError { self.directory.judged(error) }

    /// The number of times that all connections were closed. Read it before asking for a connection, and pass it to
    /// `startOver` if the connection fails.
    package var generation: Int { self.state.withLock { $0.generation } }

    /// Closes all connections and discards the known topology, because a failure may have made either invalid.
    ///
    /// Does nothing if another caller has already started over since `generation` was read, because the current
    /// connections have not failed. Also does nothing if the command was refused by a limit of this side.
    package func startOver(from generation: Int, after error: RedisError) {
        guard error.code != .tooManyCommands, generation == self.generation else { return }
        self.closeAll()
    }

    private func closeAll() {
        let connections = self.state.withLock { state in
            state.generation += 1
            defer { state.connections = [:] }
            return Array(state.connections.values)
        }
        for connection in connections { connection.close() }
        self.directory.forget()
    }

    /// The event loop, whose thread is started at first use.
    var loop: RedisEventLoop {
        self.state.withLock { state in
            if let loop = state.loop { return loop }
            let loop = RedisEventLoop()
            state.loop = loop
            return loop
        }
    }

    /// Closes the connections and ends the thread.
    package func shutDown() async {
        self.closeAll()
        let loop = self.state.withLock { $0.loop.take() }
        await loop?.shutDown()
    }

    private func connected(_ address: RedisAddress) -> RedisConnection? {
        self.state.withLock { $0.connections[address] }
    }
}

extension RESPCommand {
    /// The key that determines the server in a cluster, or `nil` if any server accepts the command.
    package var key: [UInt8]? {
        let index: Int
        switch self.name {
        case "XADD", "HGETALL", "UNLINK": index = 1
        case "EVAL", "EVALSHA": index = 3
        default: return nil
        }
        return self.arguments.count > index ? self.arguments[index] : nil
    }
}
