import Logging
import RESP
import StageKit
import Synchronization

/// Connections to the servers that a user of the section `redis` needs, one each, made at first use on one event loop.
///
/// Usable from any thread. `shutDown` must be called once, when nothing is asked any more.
final class NodePool: Sendable {
    private struct State {
        var loop: RedisEventLoop?
        var connections: [RedisAddress: RedisConnection] = [:]
        var generation = 0
    }

    private let directory: ServerDirectory
    private let stop: StopSignal
    private let logger: Logger
    private let state = Mutex(State())

    /// Makes a pool; it opens nothing. `stop` ends attempts to connect and connections.
    init(_ settings: RedisSettings, stop: StopSignal, logger: Logger) {
        self.directory = ServerDirectory(settings)
        self.stop = stop
        self.logger = logger
    }

    /// A connection to the server that has a key; nil for a command without one, which any server takes.
    func connection(for key: [UInt8]?) async throws(RedisError) -> RedisConnection {
        // The way of nearly every command: the server is known and connected.
        if let address = self.directory.known(for: key), let connection = self.connected(address) { return connection }
        let address = try await self.directory.address(for: key, on: self.loop, stop: self.stop, logger: self.logger)
        return try await self.connection(to: address)
    }

    /// A connection to a server.
    func connection(to address: RedisAddress) async throws(RedisError) -> RedisConnection {
        if let connection = self.connected(address) { return connection }
        let made = try await self.directory.connect(
            to: address, on: self.loop, stop: self.stop, logger: self.logger)
        // Whoever came first counts.
        let kept = self.state.withLock { state in
            if let other = state.connections[address] { return other }
            state.connections[address] = made
            return made
        }
        if kept !== made { made.close() }
        return kept
    }

    /// A connection to every server that takes changes.
    func primaries() async throws(RedisError) -> [RedisConnection] {
        var connections: [RedisConnection] = []
        let addresses = try await self.directory.primaries(on: self.loop, stop: self.stop, logger: self.logger)
        for address in addresses { connections.append(try await self.connection(to: address)) }
        return connections
    }

    /// Does what a server of the cluster has said instead of answering a command: asks the one it names.
    ///
    /// Returns that one's answer, an error answer included; throws where it cannot be asked, and where servers go on
    /// naming others.
    func follow(_ first: RedisError, _ command: RESPCommand) async throws(RedisError) -> RESPValue {
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

    /// How often connections were given up. Note it before asking for one, and pass it to `startOver` on failure.
    var generation: Int { self.state.withLock { $0.generation } }

    /// Closes all connections and forgets which server has what: after a failure nothing of it is relied on.
    ///
    /// Nothing happens if another caller has started over since `generation` was noted, as the connections that are there
    /// now have not failed, nor if it is a limit of this side that has refused a command.
    func startOver(from generation: Int, after error: RedisError) {
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

    /// The loop that reads and writes, its thread started at first use.
    var loop: RedisEventLoop {
        self.state.withLock { state in
            if let loop = state.loop { return loop }
            let loop = RedisEventLoop()
            state.loop = loop
            return loop
        }
    }

    /// Closes the connections and ends the thread.
    func shutDown() async {
        self.closeAll()
        let loop = self.state.withLock { $0.loop.take() }
        await loop?.shutDown()
    }

    private func connected(_ address: RedisAddress) -> RedisConnection? {
        self.state.withLock { $0.connections[address] }
    }
}

extension RESPCommand {
    /// The key that says which server of a cluster takes the command; nil for those that any takes.
    var key: [UInt8]? {
        let index: Int
        switch self.name {
        case "XADD", "HGETALL", "UNLINK": index = 1
        case "EVAL", "EVALSHA": index = 3
        default: return nil
        }
        return self.arguments.count > index ? self.arguments[index] : nil
    }
}
