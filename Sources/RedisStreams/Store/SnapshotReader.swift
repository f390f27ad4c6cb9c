import ComponentKit
import Logging
import RESP
import RedisClient
import StageKit

/// Reads snapshots from a server over its own connections, which are opened at first use. Usable from any task,
/// concurrently.
final class SnapshotReader: Sendable {
    /// The number of attempts. The connection may have died unnoticed since the last command; the second attempt uses a
    /// new one.
    private static let attempts = 2

    private let pool: NodePool
    private let stop = StopSignal()
    private let window = SendWindow()

    /// Creates a reader without opening a connection.
    init(_ settings: RedisSettings, _ connections: ConnectionHistory, logger: Logger) {
        self.pool = NodePool(settings, connections, stop: self.stop, logger: logger)
    }

    /// Returns the snapshot in a hash, or `nil` if the hash does not exist or only records an eviction.
    ///
    /// - Throws: `RedisError` if the server cannot be reached, or the key holds another type.
    func snapshot(under serverKey: [UInt8], key: [UInt8]) async throws(RedisError) -> Snapshot? {
        try Self.snapshot(of: await self.answer(to: RESPCommand("HGETALL", arguments: [serverKey])), key: key)
    }

    /// Returns the answer to a command that is safe to send twice.
    ///
    /// - Throws: `RedisError` if the server cannot be reached or answers with an error.
    func answer(to command: RESPCommand) async throws(RedisError) -> RESPValue {
        // Two commands: a redirected command may be sent again after ASKING.
        let share = WindowShare(commands: 2, bytes: command.roughBytes)
        guard await self.window.enter(share) else { throw .closedHere }
        defer { self.window.leave(share) }
        var attempt = 1
        while true {
            let generation = self.pool.generation
            do throws(RedisError) {
                return try await self.ask(command)
            } catch let failure {
                let error = self.pool.judged(failure)
                // The server refuses the user in an answer: the next lookup logs in again.
                if error.isCredentialRetry, error != failure { self.pool.startOver(from: generation, after: error) }
                guard error.isTransient, !error.isCredentialRetry, attempt < Self.attempts, !self.stop.isStopped else {
                    throw error
                }
                self.pool.startOver(from: generation, after: error)
                attempt += 1
            }
        }
    }

    /// Closes the connections and ends the thread.
    func shutDown() async {
        self.stop.stop()
        self.window.close()
        await self.pool.shutDown()
    }

    private func ask(_ command: RESPCommand) async throws(RedisError) -> RESPValue {
        let connection = try await self.pool.connection(for: command.key)
        var value = try await connection.submit([command])[0].reply().value()
        if case .error(let text) = value, Redirection(text) != nil {
            value = try await self.pool.follow(.answer(text, to: command.name), command)
        }
        if case .error(let text) = value { throw .answer(text, to: command.name) }
        return value
    }

    /// Returns the snapshot in the fields of a hash, or `nil` if they contain none.
    static func snapshot(of value: RESPValue, key: [UInt8]) throws(RedisError) -> Snapshot? {
        guard let list = value.array, list.count % 2 == 0 else {
            throw .unexpectedAnswer(to: "HGETALL", "expected pairs of names and values")
        }
        var entry: EntryID?
        var fields: [Snapshot.Field] = []
        for index in stride(from: 0, to: list.count, by: 2) {
            guard let name = list[index].bytes, let bytes = list[index + 1].bytes else {
                throw .unexpectedAnswer(to: "HGETALL", "expected pairs of names and values")
            }
            if name == Array(SnapshotScript.entryField.utf8) {
                entry = EntryID(utf8: bytes.span)
            } else {
                fields.append(Snapshot.Field(name: String(decoding: name, as: UTF8.self), bytes: bytes))
            }
        }
        return entry.map { Snapshot(entryID: $0, key: key, fields: fields) }
    }
}
