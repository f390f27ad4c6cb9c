import ComponentKit
import Foundation
import Logging
import PipelineEngine
import SnapshotStores
import StageKit
import Synchronization
import Worker

/// Delivers batches of session events, first unmeasured ones until nothing grows any more.
final class SessionSource: EventSource {
    /// Events in a batch.
    static let batchSize = 128
    /// How often each session has had an event before anything is measured.
    private static let warmUpRounds = 3

    /// The stream's name.
    let stream = "sessions"
    private let sessions: Int
    private let batches: Int
    private let measure: @Sendable (_ deliver: () async throws -> Void) async throws -> Void

    /// Measures the delivery of so many batches, of events of so many sessions in turn.
    init(
        sessions: Int, measured batches: Int,
        by measure: @escaping @Sendable (_ deliver: () async throws -> Void) async throws -> Void
    ) {
        self.sessions = sessions
        self.batches = batches
        self.measure = measure
    }

    /// How the source is doing.
    var status: SourceStatus { SourceStatus() }
    /// Does nothing: the run ends by itself.
    func stop() {}

    /// Delivers the batches that warm up, then those that are measured.
    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        let batch = EventBatch()
        var events = SessionEvents(count: self.sessions)
        for _ in 0..<(Self.warmUpRounds * self.sessions / Self.batchSize) {
            events.fill(batch, count: Self.batchSize)
            try await deliver(batch)
        }
        try await self.measure {
            for _ in 0..<self.batches {
                events.fill(batch, count: Self.batchSize)
                try await deliver(batch)
            }
        }
    }
}

/// Events of sessions in turn, each newer than the one before.
struct SessionEvents {
    private static let names = ["device_session_id", "user_id", "client_public_key", "status"].map { Array($0.utf8) }

    private let sessions: [[(name: [UInt8], value: [UInt8])]]
    private var number = 0

    /// Makes events of so many sessions.
    init(count: Int) {
        self.sessions = (0..<count).map { session in
            let values = [Sessions.key(session), "u\(session % 1000)", String(repeating: "A", count: 44), "active"]
            return Array(zip(Self.names, values.map { Array($0.utf8) })).map { (name: $0, value: $1) }
        }
    }

    /// Puts the next events into a batch in place of what it holds.
    mutating func fill(_ batch: EventBatch, count: Int) {
        batch.removeAll()
        for _ in 0..<count {
            let session = self.number % self.sessions.count
            self.number += 1
            batch.append(
                id: EntryID(milliseconds: UInt64(self.number), sequence: 0), fields: self.sessions[session])
        }
    }
}

/// The shipped pipeline with sessions, without a server.
enum Sessions {
    /// Enough that not all of them are in a core's caches.
    static let count = 64_000
    /// The sessions' keys, one behind the other.
    private static let keys = (0..<count).flatMap { Array(Self.key($0).utf8) }

    /// Calls `body` with keys in turn, so often in all.
    static func forEachKey(times: Int, _ body: (Span<UInt8>) -> Void) {
        let length = Self.keys.count / Self.count
        let keys = Self.keys.span
        for number in 0..<times {
            let start = number % Self.count * length
            body(keys.extracting(start..<start + length))
        }
    }

    /// A session's key.
    static func key(_ session: Int) -> String { "device-session-\(100_000 + session)" }

    /// A pipeline with a condition as an expression.
    static let expression = """
        pipeline: expression
        redis: { address: "127.0.0.1:6379" }
        source: { redis_stream: { stream: sessions } }
        stores: { sessions: { memory: { key: device_session_id } } }
        stages:
          - decode: { fields: { device_session_id: {}, user_id: {}, client_public_key: {}, status: {} } }
          - filter: { drop: "status == 'revoked'" }
        """

    /// Runs the shipped pipeline file, or another one, with events of sessions; `measure` is passed the delivery of so
    /// many of them.
    @discardableResult
    static func run(
        _ text: String? = nil, measured events: Int = 0,
        by measure: @escaping @Sendable (_ deliver: () async throws -> Void) async throws -> Void = { _ in }
    ) async throws -> MemoryStore {
        let source = SessionSource(
            sessions: self.count, measured: events / SessionSource.batchSize, by: measure)
        var catalogue = Catalogue.standard
        for type in catalogue.sources where type.name == "redis_stream" {
            let settings = SettingType<SettingNode>(shape: type.shape) { node, _ in node }
            catalogue.add(
                SourceType(name: type.name, summary: type.summary, settings: settings) { _, _ in source })
        }
        let services = PipelineServices(logger: Logger(label: "micro") { _ in SwiftLogNoOpLogHandler() })
        let pipeline =
            if let text {
                try Pipeline(text: Array(text.utf8), file: "text", catalogue: catalogue, services: services)
            } else {
                try Pipeline(contentsOf: self.file, environment: [:], catalogue: catalogue, services: services)
            }
        try await pipeline.run()
        guard let store = pipeline.stores["sessions"] as? MemoryStore else {
            preconditionFailure("the shipped pipeline has a memory store called sessions")
        }
        return store
    }

    /// The shipped pipeline file, from this file's place in the tree.
    private static let file = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../../../pipeline.yaml")
        .standardizedFileURL.path
}
