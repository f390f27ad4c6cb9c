import Logging
import RESP
import StageKit

/// Asks a server for snapshots, over connections of its own that are made at first use. From any task, many at once.
final class SnapshotReader: Sendable {
    /// A connection may have died unnoticed since the last question; one made for this question has not.
    private static let attempts = 2

    private let pool: NodePool
    private let stop = StopSignal()
    private let window = SendWindow()

    /// Makes a reader; it opens nothing.
    init(_ settings: RedisSettings, logger: Logger) {
        self.pool = NodePool(settings, stop: self.stop, logger: logger)
    }

    /// The snapshot in a hash; nil where there is none, or nothing but the memory of one.
    ///
    /// Throws `RedisError` where the server cannot be asked, or holds something else there.
    func snapshot(under serverKey: [UInt8], key: [UInt8]) async throws(RedisError) -> Snapshot? {
        try Self.snapshot(of: await self.answer(to: RESPCommand("HGETALL", arguments: [serverKey])), key: key)
    }

    /// The answer to a command that may be sent twice; throws `RedisError` where the server cannot be asked, or refuses.
    func answer(to command: RESPCommand) async throws(RedisError) -> RESPValue {
        // Two commands, as a question may be asked again of a server that the first one names, behind ASKING.
        let share = WindowShare(commands: 2, bytes: command.roughBytes)
        guard await self.window.enter(share) else { throw .closedHere }
        defer { self.window.leave(share) }
        var attempt = 1
        while true {
            let generation = self.pool.generation
            do throws(RedisError) {
                return try await self.ask(command)
            } catch {
                guard error.isTransient, attempt < Self.attempts, !self.stop.isStopped else { throw error }
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

    /// What the fields of a hash say.
    static func snapshot(of value: RESPValue, key: [UInt8]) throws(RedisError) -> Snapshot? {
        guard let list = value.array, list.count % 2 == 0 else {
            throw .unexpectedAnswer(to: "HGETALL", "an answer of another shape")
        }
        var entry: EntryID?
        var fields: [Snapshot.Field] = []
        for index in stride(from: 0, to: list.count, by: 2) {
            guard let name = list[index].bytes, let bytes = list[index + 1].bytes else {
                throw .unexpectedAnswer(to: "HGETALL", "an answer of another shape")
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
