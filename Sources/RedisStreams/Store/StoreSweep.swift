import ComponentKit
import Logging
import RESP
import RedisClient
import StageKit

/// Empties a redis store: removes the hashes under its prefix that carry the store's mark, and no other keys.
///
/// The server checks and removes each key atomically, so a key that another program writes in between is not lost.
struct StoreSweep {
    /// The number of keys that SCAN examines per step, and the number of removals per write. A step blocks the server
    /// for well under 1 ms.
    private static let step = 500

    /// The number of removed keys.
    private(set) var removed = 0
    /// The number of hashes that were kept because they lack the store's mark.
    private(set) var kept = 0

    /// A Lua script that removes a key if it is a snapshot or the record of an eviction. Returns 1, or 0 if the key is
    /// something else or does not exist. A WRONGTYPE error means that the key holds no hash.
    static let source = """
        local found = redis.pcall('HMGET', KEYS[1], '_entry', '_evicted')
        if found.err then
            if string.find(found.err, 'WRONGTYPE', 1, true) then return 0 end
            return found
        end
        if not found[1] and not found[2] then return 0 end
        return redis.call('UNLINK', KEYS[1])
        """

    /// The SHA-1 digest of `source`.
    static let digest = "f92a22a25d778d874bede4f1b592a42bf4c14dca"

    /// The reporter of each step, so that the watchdog does not treat emptying a large store as a hang.
    private let progress: ProgressReporter
    private var logged: LoggedProgress

    /// Creates a sweep; a long one logs its progress.
    init(progress: ProgressReporter, logger: Logger) {
        self.progress = progress
        self.logged = LoggedProgress("emptying the store", unit: "keys", logger: logger)
    }

    /// Returns the command that removes a key.
    ///
    /// - Parameter isWhole: Whether to send the script's source (EVAL) for a server that may not know the script, or
    ///   its digest (EVALSHA).
    static func command(removing key: [UInt8], isWhole: Bool = false) -> RESPCommand {
        let script: [any RESPArgument] = [isWhole ? self.source : self.digest, 1, key]
        return RESPCommand(isWhole ? "EVAL" : "EVALSHA", arguments: script.map(\.respBytes))
    }

    /// Removes the store's keys on one server that match a pattern.
    mutating func empty(_ connection: RedisConnection, _ pattern: [UInt8]) async throws(RedisError) {
        let start = "0".respBytes
        var cursor = start
        repeat {
            let scan: [any RESPArgument] = [cursor, "MATCH", pattern, "COUNT", Self.step, "TYPE", "hash"]
            let answer = try await connection.command(RESPCommand("SCAN", arguments: scan.map(\.respBytes)))
            self.progress.pulse()
            guard let parts = answer.array, parts.count == 2, let next = parts[0].bytes, let keys = parts[1].array
            else { throw .unexpectedAnswer(to: "SCAN", "expected a cursor and keys") }
            self.logged.update(self.removed, fraction: ScanCursor.fraction(before: cursor))
            cursor = next
            let found = keys.compactMap(\.bytes)
            for start in stride(from: 0, to: found.count, by: Self.step) {
                try await self.remove(found[start..<min(start + Self.step, found.count)], connection)
            }
        } while cursor != start
    }

    /// Removes keys with one command each, because the keys of a cluster's server are in different slots.
    private mutating func remove(_ keys: ArraySlice<[UInt8]>, _ connection: RedisConnection) async throws(RedisError) {
        var unknown: [[UInt8]] = []
        let replies = connection.submit(keys.map { Self.command(removing: $0) })
        for (key, reply) in zip(keys, replies) {
            do throws(RedisError) {
                try self.note(await reply.reply().value())
            } catch {
                guard error.code == .scriptMissing else { throw error }
                unknown.append(key)
            }
        }
        for reply in connection.submit(unknown.map { Self.command(removing: $0, isWhole: true) }) {
            try self.note(await reply.reply().value())
        }
    }

    private mutating func note(_ answer: RESPValue) throws(RedisError) {
        if case .error(let text) = answer { throw .answer(text, to: "EVALSHA") }
        guard let count = answer.integer else {
            throw .unexpectedAnswer(to: "EVALSHA", "expected the result of the script")
        }
        if count > 0 { self.removed += 1 } else { self.kept += 1 }
    }
}
