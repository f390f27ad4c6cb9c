import ComponentKit
import Foundation
import Logging
import PipelineEngine
import StageKit
import Testing
import Worker

/// The store and the source that are plugins, in a pipeline: nothing in the engine knows them.
@Suite struct SQLitePipelineTests {
    private static let pipeline = """
        pipeline: orders
        source: { file: { path: orders.ndjson, start: resume } }
        checkpoint: { path: FOLDER/checkpoint }
        stores:
          orders: { sqlite: { key: id, path: FOLDER/orders.db, conditions: { open: { status: open } } } }
        stages:
          - decode:
              json: line
              fields: { id: { type: string, required: true }, status: { type: string, required: true } }
            on_failure: bad
          - upsert: { store: orders }
        branches:
          bad: [{ evict: { store: orders, key: id } }]
        admin: { listen: "off" }
        """

    private func run(_ folder: String, _ read: (any SnapshotStore) -> Void) async throws {
        let text = Self.pipeline.replacing("FOLDER", with: folder)
            .replacing("path: orders.ndjson", with: "path: \(folder)/orders.ndjson")
        let services = PipelineServices(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let pipeline = try Pipeline(text: Array(text.utf8), file: "p.yaml", catalogue: .standard, services: services)
        try await pipeline.run()
        read(try #require(pipeline.stores["orders"]))
    }

    @Test("Snapshots outlive the worker, which continues behind the last line that it has finished")
    func restart() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("orders-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = URL(fileURLWithPath: "\(folder)/orders.ndjson")
        let lines = #"{"id":"a","status":"open"}"# + "\n" + #"{"id":"b","status":"open"}"# + "\n"
        try Data(lines.utf8).write(to: file)
        try await self.run(folder) { store in #expect(store.count == 2) }
        let more = #"{"id":"a","status":"closed"}"# + "\n" + #"{"id":"b"}"# + "\n"
        let handle = try #require(FileHandle(forWritingAtPath: file.path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(more.utf8))
        try handle.close()
        try await self.run(folder) { store in
            #expect(store.count == 1)
            #expect(store.retention == .own)
            #expect(store.conditional?.conditions.map(\.name) == ["open"])
            #expect(store.conditional?.keptFields == ["id", "status"])
        }
    }
}
