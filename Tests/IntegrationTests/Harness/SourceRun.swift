import ComponentKit
import Foundation
import Logging
import RESP
import RedisClient
import RedisStreams
import StageKit
import Synchronization
import Testing

/// How long a condition is waited for: only a hang takes this long, however slow or busy the machine is.
let patience = Duration.seconds(180)

/// Waits until a condition holds, at most for `patience`.
///
/// The first looks follow each other closely, so that a fast machine does not sleep through its tests; the later ones do
/// not take the processor from what is waited for.
func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ holds: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + patience
    var pause = Duration.milliseconds(1)
    repeat {
        if try await holds() { return }
        try await Task.sleep(for: pause)
        pause = min(pause * 1.5, .milliseconds(60))
    } while ContinuousClock.now < deadline
    if try await holds() { return }
    Issue.record(what, sourceLocation: sourceLocation)
    throw CancellationError()
}

/// What a source has delivered: ids, and each entry's fields as bytes.
final class Delivered: Sendable {
    struct Entry: Sendable, Equatable {
        var id: EntryID
        var fields: [[UInt8]]
    }

    private let state = OrderedMutex<[Entry]>([])

    var entries: [Entry] { self.state.withLock { $0 } }
    var ids: [EntryID] { self.entries.map(\.id) }
    var count: Int { self.state.withLock { $0.count } }
    /// The first value of each entry as text.
    var texts: [String] { self.entries.map { String(decoding: $0.fields.last ?? [], as: UTF8.self) } }

    func take(_ batch: EventBatch) {
        for index in 0..<batch.count {
            let entry = batch.withEvent(at: index) { event in
                var fields: [[UInt8]] = []
                for position in 0..<event.rawFieldCount {
                    let field = event.rawField(at: position)
                    fields.append(Array(event.unsafeBytes(field.name)))
                    fields.append(Array(event.unsafeBytes(field.value)))
                }
                return Entry(id: event.id, fields: fields)
            }
            self.state.withLock { $0.append(entry) }
        }
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Runs a source beside `body` and stops it in any case; returns how the run ended.
func withRunning<R>(
    _ source: RedisStreamSource, _ deliver: @escaping @Sendable (EventBatch) async throws -> Void,
    _ body: () async throws -> R
) async throws -> R {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await source.run(deliver) }
        let outcome: Result<R, any Error>
        do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        source.stop()
        try await group.waitForAll()
        return try outcome.get()
    }
}

/// Lends a connection for commands of the test itself.
@discardableResult
func withConnection<R>(
    _ settings: RedisSettings, for key: String? = nil, _ body: (RedisConnection) async throws -> R
) async throws -> R {
    let loop = RedisEventLoop()
    let outcome: Result<R, any Error>
    do {
        let connection = try await RedisConnection.connect(settings, for: key, on: loop, logger: quiet)
        do { outcome = .success(try await body(connection)) } catch { outcome = .failure(error) }
        connection.close()
    } catch {
        await loop.shutDown()
        throw error
    }
    await loop.shutDown()
    return try outcome.get()
}

extension RedisConnection {
    /// Adds an entry with one field and returns its id.
    @discardableResult
    func add(_ stream: String, _ value: String, id: String = "*") async throws -> EntryID {
        let answer = try await self.command(RESPCommand("XADD", stream, id, "v", value))
        return try #require(answer.string.flatMap { EntryID($0) })
    }
}

extension RedisStreamSource {
    /// A source of a server with small blocks, so that tests of what follows a block are quick.
    convenience init(
        _ server: RedisServer, stream: String = "s", start: StreamStart = .tail, count: Int = 128,
        block: Duration = .seconds(60), onGap: GapPolicy = .failClosed,
        change: (inout RedisSettings) -> Void = { _ in }
    ) {
        var settings = server.settings
        change(&settings)
        var streamSettings = RedisStreamSettings(stream: stream)
        streamSettings.start = start
        streamSettings.readCount = count
        streamSettings.readBlock = block
        // Generous, as the timeouts of the server's settings are: no test waits for a read to end for want of an answer.
        streamSettings.readMargin = .seconds(60)
        streamSettings.onGap = onGap
        self.init(settings, streamSettings, logger: quiet)
    }
}
