import DeadLetterStage
import Logging
import RESP
import RedisStreams
import StageKit

/// A dead-letter stream on a server, read in pages so that no answer grows with it.
struct LetterBox {
    /// Letters in one answer of the server: letters of 1 MiB each still fit what one reply may have.
    static let pageSize = 100
    /// The least time a command has: a page of large letters takes longer than what is set for the source.
    static let timeout = Duration.seconds(10)

    /// What an answer of the server says that nothing can be made of.
    struct Unexpected: Error, CustomStringConvertible {
        /// What was asked and what is wrong with the answer.
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

    /// Connects and lends the box to `body`.
    static func with<R>(
        _ settings: RedisSettings, stream: String, targets: [String], hiding secrets: Set<String>,
        _ body: (LetterBox) async throws -> R
    ) async throws -> R {
        let loop = RedisEventLoop()
        let logger = Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() })
        let result: Result<R, any Error>
        do {
            let connection = try await RedisConnection.connect(settings, for: stream, on: loop, logger: logger)
            defer { connection.close() }
            let box = LetterBox(
                stream: stream, targets: targets, secrets: secrets, connection: connection,
                timeout: max(settings.timeout, Self.timeout))
            result = .success(try await body(box))
        } catch {
            result = .failure(error)
        }
        await loop.shutDown()
        return try result.get()
    }

    /// The server's time in milliseconds since the epoch.
    func now() async throws -> Int64 {
        let answer = try await self.ask(RESPCommand("TIME"))
        guard let seconds = answer.array?.first?.integer, let micros = answer.array?.last?.integer else {
            throw Unexpected(description: "TIME: an answer of another shape")
        }
        return seconds * 1000 + micros / 1000
    }

    /// At most `count` letters (and at most a page) from `first` to `last`, oldest first.
    func letters(from first: EntryID, to last: EntryID = .max, count: Int) async throws -> [StoredLetter] {
        let command = RESPCommand(
            "XRANGE", self.stream, first.description, last.description, "COUNT", min(count, Self.pageSize))
        guard let entries = try await self.ask(command).array else {
            throw Unexpected(description: "XRANGE: an answer of another shape")
        }
        return try entries.map { entry in
            guard let letter = StoredLetter(entry) else {
                throw Unexpected(description: "XRANGE: an entry of another shape")
            }
            return letter
        }
    }

    /// The id of the newest letter, nil where there is none.
    func lastID() async throws -> EntryID? { try await self.lastID(of: self.stream) }

    private func lastID(of stream: String) async throws -> EntryID? {
        let answer = try await self.ask(RESPCommand("XREVRANGE", stream, "+", "-", "COUNT", 1))
        return answer.array?.first.flatMap { StoredLetter($0) }?.id
    }

    /// Replays one dead-letter entry; `now` is the server's time in milliseconds since the epoch.
    ///
    /// - Throws: `RedisError` if the server cannot be asked, and if this user may not replay anything. What the server
    ///   refuses of this entry alone is the result `refused`.
    func replay(_ letter: StoredLetter, now: Int64) async throws -> ReplayScript.Result {
        guard let stream = letter.facts[DeadLetter.stream], let original = letter.original else { return .unfit }
        guard self.targets.contains(stream) else { return .foreign }
        guard letter.fields.count <= ReplayScript.fieldLimit else { return .tooLarge }
        let command = ReplayScript.command(letters: self.stream, letter: letter.id, original: stream, now: now)
        do {
            if original.milliseconds > now, try await self.lastID(of: stream) ?? .zero < original { return .newer }
            guard let result = ReplayScript.result(try await self.ask(command)) else {
                throw Unexpected(description: "EVAL: an answer of another shape")
            }
            return result
        } catch let error as RedisError where error.code == .serverError || error.code == .wrongType {
            return .refused(error.message)
        }
    }

    /// Takes letters away and returns how many there were.
    func remove(_ ids: [EntryID]) async throws -> Int {
        if ids.isEmpty { return 0 }
        let arguments = [self.stream.respBytes] + ids.map { $0.description.respBytes }
        return Int(try await self.ask(RESPCommand("XDEL", arguments: arguments)).integer ?? 0)
    }

    /// Takes all letters away and returns how many there were.
    func removeAll() async throws -> Int {
        Int(try await self.ask(RESPCommand("XTRIM", self.stream, "MAXLEN", 0)).integer ?? 0)
    }

    /// Calls `body` with page after page up to `last`; what is put aside meanwhile is not among them.
    func forEachPage(to last: EntryID, _ body: ([StoredLetter]) async throws -> Void) async throws {
        var first = EntryID.zero
        while true {
            let page = try await self.letters(from: first, to: last, count: Self.pageSize)
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
    /// The id behind this one, nil behind the greatest.
    var successor: EntryID? {
        if self.sequence < .max { return EntryID(milliseconds: self.milliseconds, sequence: self.sequence + 1) }
        return self.milliseconds < .max ? EntryID(milliseconds: self.milliseconds + 1, sequence: 0) : nil
    }
}
