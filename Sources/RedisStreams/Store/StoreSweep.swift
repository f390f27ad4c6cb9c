import RESP
import StageKit

/// Empties a redis store: removes the hashes under its prefix that carry the store's mark, and no other key.
///
/// A key is looked at and removed in one step on the server, so that a key that another program puts there in between is
/// not lost.
struct StoreSweep {
    /// Keys that SCAN looks at in one step, and scripts in one write: a step blocks the server for well under 1 ms.
    private static let step = 500

    /// The number of keys that were removed.
    private(set) var removed = 0
    /// The number of hashes that were found without the store's mark, and are still there.
    private(set) var kept = 0

    /// Removes a key if it is a snapshot or the memory of an evicted one; returns 1, or 0 if it is something else or gone.
    /// A type error means that the key holds no hash.
    static let source = """
        local found = redis.pcall('HMGET', KEYS[1], '_entry', '_evicted')
        if found.err then
            if string.find(found.err, 'WRONGTYPE', 1, true) then return 0 end
            return found
        end
        if not found[1] and not found[2] then return 0 end
        return redis.call('UNLINK', KEYS[1])
        """

    /// The SHA-1 of `source`.
    static let digest = "f92a22a25d778d874bede4f1b592a42bf4c14dca"

    /// Reports each step, so that emptying a large store is not taken for a hang.
    private let progress: ProgressReporter

    /// Creates a sweep that has removed nothing.
    init(progress: ProgressReporter) {
        self.progress = progress
    }

    /// The command that removes a key.
    ///
    /// - Parameter isWhole: Whether the script itself goes along, for a server that does not know it.
    static func command(removing key: [UInt8], isWhole: Bool = false) -> RESPCommand {
        let script: [any RESPArgument] = [isWhole ? self.source : self.digest, 1, key]
        return RESPCommand(isWhole ? "EVAL" : "EVALSHA", arguments: script.map(\.respBytes))
    }

    /// Removes the store's keys of one server that match a pattern.
    mutating func empty(_ connection: RedisConnection, _ pattern: [UInt8]) async throws(RedisError) {
        let start = "0".respBytes
        var cursor = start
        repeat {
            let scan: [any RESPArgument] = [cursor, "MATCH", pattern, "COUNT", Self.step, "TYPE", "hash"]
            let answer = try await connection.command(RESPCommand("SCAN", arguments: scan.map(\.respBytes)))
            self.progress.pulse()
            guard let parts = answer.array, parts.count == 2, let next = parts[0].bytes, let keys = parts[1].array
            else { throw .unexpectedAnswer(to: "SCAN", "an answer of another shape") }
            cursor = next
            let found = keys.compactMap(\.bytes)
            for start in stride(from: 0, to: found.count, by: Self.step) {
                try await self.remove(found[start..<min(start + Self.step, found.count)], connection)
            }
        } while cursor != start
    }

    /// Removes keys, each with a command of its own: those of a cluster's server are in different slots.
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
        guard let count = answer.integer else { throw .unexpectedAnswer(to: "EVALSHA", "an answer of another shape") }
        if count > 0 { self.removed += 1 } else { self.kept += 1 }
    }
}
