import ComponentKit
import Logging
import RESP
import RedisClient
import StageKit

/// Reads keys of a server as if each were an entry of the stream, all with the id of one moment.
///
/// Keys are read at that moment or later. Producers must update a key before they add the entry that reports the
/// change, or in the same transaction. The value of a key is then at least as recent as every entry up to that id, and
/// every later change arrives as an entry with a higher id, which wins.
struct KeyReader {
    /// Maximum number of keys read together; enough to hide round trips.
    static let chunk = 128

    private let keys: KeyBootstrap
    private let connection: RedisConnection
    private let batch: EventBatch
    private let size: RequestSize
    private let timeout: ReplyTimeout
    private let policy: OversizedPolicy
    private let stop: StopSignal
    private let logger: Logger
    private let onPage: () -> Void

    /// Creates a key reader.
    ///
    /// - Parameters:
    ///   - batch: Holds the keys of one chunk at a time.
    ///   - size: The fraction of a chunk to read at a time.
    ///   - timeout: How long the server may be silent.
    ///   - policy: How to handle a value that is too large.
    ///   - logger: The logger for the progress of a long scan.
    ///   - onPage: Called for each page of keys; with a pattern that few keys match, many pages are empty.
    init(
        _ keys: KeyBootstrap, _ connection: RedisConnection, _ batch: EventBatch, size: RequestSize,
        timeout: ReplyTimeout, policy: OversizedPolicy, _ stop: StopSignal, logger: Logger,
        onPage: @escaping () -> Void
    ) {
        self.logger = logger
        self.onPage = onPage
        self.keys = keys
        self.connection = connection
        self.batch = batch
        self.size = size
        self.timeout = timeout
        self.policy = policy
        self.stop = stop
    }

    /// Delivers, in batches, every key that exists throughout the scan. As with SCAN, a key may be delivered twice.
    ///
    /// - Returns: The number of delivered keys, and the number of keys whose value does not have the configured form.
    func read(
        as point: EntryID, _ deliver: (EventBatch) async throws -> Void
    ) async throws(ReadEnd) -> (read: Int, unusable: Int) {
        var (read, unusable) = (0, 0)
        let chunkSize = self.size.count(Self.chunk)
        var cursor: [UInt8] = Array("0".utf8)
        var progress = LoggedProgress("bootstrap: reading keys", unit: "keys", logger: self.logger)
        repeat {
            progress.update(read, fraction: ScanCursor.fraction(before: cursor))
            let page = try await self.page(cursor)
            self.onPage()
            cursor = page.next
            var rest = page.keys[...]
            while !rest.isEmpty, !self.stop.isStopped {
                let chunk = Array(rest.prefix(chunkSize))
                rest = rest.dropFirst(chunkSize)
                unusable += try await self.fill(chunk, point)
                read += self.batch.count
                guard !self.batch.isEmpty else { continue }
                do {
                    try await deliver(self.batch)
                } catch {
                    throw .deliver(error)
                }
            }
        } while cursor != Array("0".utf8) && !self.stop.isStopped
        return (read, unusable)
    }

    /// Sends one SCAN command and returns its page.
    private func page(_ cursor: [UInt8]) async throws(ReadEnd) -> (next: [UInt8], keys: [[UInt8]]) {
        do throws(RedisError) {
            let type = self.keys.form == .hash ? "hash" : "string"
            let count = self.size.count(self.keys.count)
            let command = RESPCommand("SCAN", cursor, "MATCH", self.keys.match, "COUNT", count, "TYPE", type)
            let answer = try await self.connection.submit(command, timeout: self.timeout).reply().value()
            if case .error(let text) = answer { throw RedisError.answer(text, to: "SCAN") }
            guard let parts = answer.array, parts.count == 2, let next = parts[0].bytes, let keys = parts[1].array
            else { throw .unexpectedAnswer(to: "SCAN", "expected a cursor and keys") }
            return (next, keys.compactMap(\.bytes))
        } catch {
            throw .server(error)
        }
    }

    /// Fills the batch with the values of keys; returns the number of values that do not have the configured form.
    private func fill(_ keys: [[UInt8]], _ point: EntryID) async throws(ReadEnd) -> Int {
        let name = self.keys.form == .hash ? "HGETALL" : "GET"
        let replies = self.connection.submit(
            keys.map { RESPCommand(name, arguments: [$0]) }, timeout: self.timeout,
            leavesOutToFit: self.size.count(Self.chunk) == 1)
        var unusable = 0
        self.batch.removeAll()
        for (key, reply) in zip(keys, replies) {
            do throws(RedisError) {
                let value = try await reply.reply().value()
                if case .error(let text) = value { throw .answer(text, to: name) }
                // The key is gone by now; the entry that reports its removal is yet to come.
                if value == .null || value.array?.isEmpty == true { continue }
                let (readable, leftOut) = LeftOutFields.remove(from: value)
                if let fields = KeyFields.fields(of: readable, key: key, self.keys) {
                    self.batch.append(id: point, fields: fields)
                } else if leftOut.failure != nil {
                    // If the string is too large, only the key's name is left.
                    let rest = Array(key.dropFirst(KeyFields.literalPrefix(self.keys.match).count))
                    let name = self.keys.keyField.map { [(name: Array($0.utf8), value: rest)] }
                    self.batch.append(id: point, fields: name ?? [])
                } else {
                    unusable += 1
                    continue
                }
                // All keys have the id of one entry, so a dead-letter entry must not be replayed as if it were that entry.
                self.batch.setDeliveries(0)
                try leftOut.refuse(in: self.batch, self.policy)
            } catch {
                throw .server(error)
            }
        }
        return unusable
    }
}
