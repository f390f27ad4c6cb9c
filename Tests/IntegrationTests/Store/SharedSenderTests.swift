import ComponentKit
import Foundation
import Logging
import RESP
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

/// Many callers of one store at the same time, as lanes are.
@Suite struct SharedSenderTests {
    /// Keeps what is logged as a warning or worse.
    private struct WarningLog: LogHandler {
        let lines = OrderedMutexBox<[String]>([])
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.warning

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.lines.value.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }

    /// Shared by copies of a handler.
    private final class OrderedMutexBox<Value: Sendable>: Sendable {
        let value: OrderedMutex<Value>
        init(_ value: Value) { self.value = OrderedMutex(value) }
    }

    /// Changes of one caller in a round: more than one request has, so that even four callers together have more than
    /// a connection takes. More than twice as many for `make rounds`.
    private static let changes = ProcessInfo.processInfo.environment["SLUICE_ROUNDS"] == nil ? 600 : 1500

    @Test(
        "Many callers that share a store wait for each other, and no connection is closed",
        arguments: [4, 32])
    func callers(count: Int) async throws {
        try await withRedisServer { server in
            let log = WarningLog()
            var settings = RedisStoreSettings()
            settings.key = "id"
            let store = RedisStore(
                name: "sessions", settings, server: server.settings, logger: Logger(label: "test") { _ in log })
            let applied = OrderedMutexBox(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<count {
                    group.addTask {
                        for round in 1...2 {
                            let changes = (0..<Self.changes).map { index in
                                let key = store.serverKey(Array("\(caller)-\(index)".utf8).span)
                                let entry = EntryID(milliseconds: UInt64(round), sequence: 0)
                                let command = SnapshotScript.command(
                                    .upsert, key: key, entry: entry, milliseconds: 0,
                                    fields: [Array("v".utf8), Array("\(round)".utf8)])
                                return RedisStoreWriter.Change(
                                    request: BatchHistory.Request(key: key, entry: entry, change: .upsert),
                                    command: command)
                            }
                            for result in try await store.make(changes) where try result.get() == .applied {
                                applied.value.withLock { $0 += 1 }
                            }
                            store.endBatch(changes.map(\.request.key))
                        }
                    }
                    group.addTask {
                        for _ in 0..<50 { _ = try await store.lookUp(Array("\(caller)-0".utf8)) }
                    }
                }
                try await group.waitForAll()
            }
            await store.shutDown()
            #expect(applied.value.withLock { $0 } == count * 2 * Self.changes)
            #expect(log.lines.value.withLock { $0 } == [])
        }
    }
}
