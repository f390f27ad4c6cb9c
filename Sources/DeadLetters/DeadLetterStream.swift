import DeadLetterStage
import Logging
import RESP
import RedisClient
import StageKit

/// A dead-letter stream on a server, read in pages so that the size of a reply is limited.
struct DeadLetterStream {
    /// Dead-letter entries per reply of the server: entries of 1 MiB each still fit into one reply.
    static let pageSize = 100
    /// The minimum timeout of a command: a page of large entries takes longer than the timeout set for the source.
    static let timeout = Duration.seconds(10)

    /// An unexpected reply of the server.
    struct Unexpected: Error, CustomStringConvertible {
        /// The command and the problem with its reply.
        var description: String
    }

    /// The stream's key.
    let stream: String
    /// The streams that originals may be added to: those that the pipeline reads.
    let targets: [String]
    /// The fields of an original whose values are not shown.
    let secrets: Set<String>
    private let connection: RedisConnection
    private let timeout: Duration

    /// Connects and passes the dead-letter stream to `body`.
    static func with<R>(
        _ settings: RedisSettings, stream: String, targets: [String], hiding secrets: Set<String>,
        _ body: (DeadLetterStream) async throws -> R
    ) async throws -> R {
        let loop = RedisEventLoop()
        let logger = Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() })
        let result: Result<R, any Error>
        do {
            let connection = try await RedisConnection.connect(settings, for: stream, on: loop, logger: logger)
            defer { connection.close() }
            let box = DeadLetterStream(
                stream: stream, targets: targets, secrets: secrets, connection: connection,
                timeout: max(settings.timeout, Self.timeout))
            result = .success(try await body(box))
        } catch {
            result = .failure(error)
        }
        await loop.shutDown()
        return try result.get()
    }

    /// Returns the server's time in milliseconds since the epoch.
    func now() async throws -> Int64 {
        let answer = try await self.ask(RESPCommand("TIME"))
        guard let seconds = answer.array?.first?.integer, let micros = answer.array?.last?.integer else {
            throw Unexpected(description: "TIME: unexpected reply: expected a time")
        }
        return seconds * 1000 + micros / 1000
    }

    /// Returns at most `count` dead-letter entries (and at most a page) from `first` to `last`, oldest first.
    func entries(from first: EntryID, to last: EntryID = .max, count: Int) async throws -> [DeadLetterEntry] {
        let command = RESPCommand(
            "XRANGE", self.stream, first.description, last.description, "COUNT", min(count, Self.pageSize))
        guard let entries = try await self.ask(command).array else {
            throw Unexpected(description: "XRANGE: unexpected reply: expected a list of entries")
        }
        return try entries.map { entry in
            guard let entry = DeadLetterEntry(entry) else {
                throw Unexpected(description: "XRANGE: unexpected reply: expected entries with an id, names and values")
            }
            return entry
        }
    }

    /// Returns the number of dead-letter entries, or `nil` if this user may not ask for it.
    func count() async -> Int? {
        (try? await self.ask(RESPCommand("XLEN", self.stream)))?.integer.map { Int($0) }
    }

    /// Returns the id of the newest dead-letter entry, or `nil` if there is none.
    func lastID() async throws -> EntryID? { try await self.lastID(of: self.stream) }

    private func lastID(of stream: String) async throws -> EntryID? {
        let answer = try await self.ask(RESPCommand("XREVRANGE", stream, "+", "-", "COUNT", 1))
        return answer.array?.first.flatMap { DeadLetterEntry($0) }?.id
    }

    /// Replays one dead-letter entry.
    ///
    /// - Parameters:
    ///   - entry: The dead-letter entry.
    ///   - now: The server's time in milliseconds since the epoch.
    ///   - wholeEntries: Whether the whole original of an element may be replayed.
    /// - Returns: The result; nothing has changed unless the original was added, now or before.
    /// - Throws: `RedisError` if the server cannot be reached, or if this user may not replay anything. If the server
    ///   refuses only this entry, the result is `refused`.
    func replay(_ entry: DeadLetterEntry, now: Int64, wholeEntries: Bool) async throws -> ReplayScript.Result {
        guard let stream = entry.facts[DeadLetter.stream], let original = entry.original else { return .unfit }
        guard self.targets.contains(stream) else { return .foreign }
        if let obstacle = entry.obstacle(wholeEntries: wholeEntries) { return obstacle }
        guard entry.fields.count <= ReplayScript.fieldLimit else { return .tooLarge }
        let command = ReplayScript.command(deadLetters: self.stream, entry: entry.id, original: stream, now: now)
        do {
            if original.milliseconds > now, try await self.lastID(of: stream) ?? .zero < original { return .newer }
            guard let result = ReplayScript.result(try await self.ask(command)) else {
                throw Unexpected(description: "EVAL: unexpected reply: expected the result of the script")
            }
            return result
        } catch let error as RedisError where error.code == .serverError || error.code == .wrongType {
            return .refused(error.message)
        }
    }

    /// Deletes dead-letter entries and returns how many existed.
    func remove(_ ids: [EntryID]) async throws -> Int {
        if ids.isEmpty { return 0 }
        let arguments = [self.stream.respBytes] + ids.map { $0.description.respBytes }
        return Int(try await self.ask(RESPCommand("XDEL", arguments: arguments)).integer ?? 0)
    }

    /// Deletes all dead-letter entries and returns their number.
    func removeAll() async throws -> Int {
        Int(try await self.ask(RESPCommand("XTRIM", self.stream, "MAXLEN", 0)).integer ?? 0)
    }

    /// Calls `body` with each page up to `last`; entries written meanwhile are not included.
    func forEachPage(to last: EntryID, _ body: ([DeadLetterEntry]) async throws -> Void) async throws {
        var first = EntryID.zero
        while true {
            let page = try await self.entries(from: first, to: last, count: Self.pageSize)
            guard let end = page.last?.id else { return }
            try await body(page)
            guard let next = end.successor else { return }
            first = next
        }
    }

    private func ask(_ command: RESPCommand) async throws -> RESPValue {
        try await self.connection.command(command, timeout: self.timeout)
    }
}

extension EntryID {
    /// The next id, or `nil` after the greatest id.
    var successor: EntryID? {
        if self.sequence < .max { return EntryID(milliseconds: self.milliseconds, sequence: self.sequence + 1) }
        return self.milliseconds < .max ? EntryID(milliseconds: self.milliseconds + 1, sequence: 0) : nil
    }
}
