import ComponentKit
import Foundation
import Logging
import StageKit
import StageTestKit

@testable import SQLiteStore

/// A directory with the file of a store, and events made of plain values.
final class StoreTrial: Sendable {
    private static let columns = ["id", "status"]

    let folder: String
    let log = RecordingLog()

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sqlite-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: self.folder)
    }

    var path: String { self.folder + "/store.db" }

    /// A store that is not open.
    func store(
        evictionLimit: Int = StoreFile.evictionLimit, _ change: (inout SQLiteStoreSettings) -> Void = { _ in }
    ) -> SQLiteStore {
        var settings = SQLiteStoreSettings()
        settings.key = "id"
        settings.path = self.path
        change(&settings)
        return SQLiteStore(
            name: "sessions", settings, evictionLimit: evictionLimit, logger: self.log.logger(label: "test"))
    }

    /// Opens a store for a time.
    func withStore<R>(
        evictionLimit: Int = StoreFile.evictionLimit, _ change: (inout SQLiteStoreSettings) -> Void = { _ in },
        _ body: (SQLiteStore, Writing) async throws -> R
    ) async throws -> R {
        let store = self.store(evictionLimit: evictionLimit, change)
        try store.open()
        do {
            let result = try await body(store, Writing(store))
            await store.shutDown()
            return result
        } catch {
            await store.shutDown()
            throw error
        }
    }

    /// The message with which a store refuses to open.
    func refusal(_ change: (inout SQLiteStoreSettings) -> Void = { _ in }) async -> String? {
        let store = self.store(change)
        do {
            try store.open()
            await store.shutDown()
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Runs statements on the file with a connection of its own.
    func statements(_ statements: String...) throws {
        let connection = try SQLiteConnection(path: self.path, busyTimeout: .zero)
        for statement in statements { try connection.run(statement) }
    }

    /// A writer of a store.
    final class Writing {
        private let writer: any SnapshotWriter
        private let batch = EventBatch()
        /// The number of the stream that the events come from.
        var stream = 0

        init(_ store: SQLiteStore) {
            let fields = StoreTrial.columns.enumerated().map { (name: $1, field: FieldID(index: $0)) }
            self.writer = store.makeWriter(key: FieldID(index: 0), fields: fields)
        }

        private func withEvent<R>(
            _ key: String, _ entry: UInt64, _ status: String, _ body: (borrowing Event) throws -> R
        ) rethrows -> R {
            self.batch.removeAll()
            self.batch.streamIndex = self.stream
            self.batch.append(id: EntryID(milliseconds: entry, sequence: 0), fields: [])
            self.batch.prepareCells(fieldCount: StoreTrial.columns.count)
            return try self.batch.withEvent(at: 0) { event in
                event.set(FieldID(index: 0), copying: Array(key.utf8))
                event.set(FieldID(index: 1), copying: Array(status.utf8))
                return try body(event)
            }
        }

        func upsert(_ key: String, _ entry: UInt64, _ status: String = "active") throws -> StoreChange {
            try self.withEvent(key, entry, status) { event in try self.writer.upsert(event) }
        }

        func evict(_ key: String, _ entry: UInt64) throws -> StoreChange {
            try self.withEvent(key, entry, "") { event in try self.writer.evict(event) }
        }

        func endBatch() async throws { try await self.writer.endBatch() }
    }
}
