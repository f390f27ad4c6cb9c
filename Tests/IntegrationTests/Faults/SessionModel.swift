import ComponentKit
import Foundation
import Logging
import PipelineEngine
import RESP
import RedisClient
import SnapshotStores
import StageKit
import Testing
import Worker

/// The shipped pipeline in this process, on a server of the test's own.
struct SessionPipeline {
    /// The pipeline.
    let pipeline: Pipeline
    /// Its sessions.
    let store: MemoryStore

    static let stream = "gateway:session_events"

    /// Makes the pipeline with values of the source put into the file; commands may take 20 s unless `others` says
    /// otherwise, since a busy machine needs longer than the file's own timeout now and then.
    init(
        _ address: RedisAddress, _ source: [String: String] = [:], others: [String: String] = [:],
        handler: (any RevocationHandler)? = nil, logger: Logger = quiet
    ) throws {
        let overrides =
            (source.map { "source.redis_stream.\($0.key)=\($0.value)" }
            + ["redis.timeout=20s"] + others.map { "\($0.key)=\($0.value)" }).compactMap { Override($0) }
        self.pipeline = try Pipeline(
            contentsOf: ReferenceTests.pipelineFile,
            environment: ["REDIS_ADDRESS": "\(address)", "SLUICE_LISTEN": "off"],
            overrides: overrides, services: PipelineServices(logger: logger, revocationHandler: handler))
        self.store = try #require(self.pipeline.stores["sessions"] as? MemoryStore)
    }

    /// Runs the pipeline beside `body`; what ends the pipeline by itself is thrown.
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let pipeline = self.pipeline
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pipeline.run() }
            let outcome: Result<R, any Error>
            do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
            pipeline.source.stop()
            try await group.waitForAll()
            return try outcome.get()
        }
    }

    /// What the store holds: each session with its status.
    var sessions: [String: String] {
        var found: [String: String] = [:]
        self.store.forEachSnapshot { found[String(decoding: $0.key, as: UTF8.self)] = $0["status"] }
        return found
    }

    var status: SourceStatus { self.pipeline.source.status }

    /// Waits until the source is caught up, its stores filled, at an id at least.
    func caughtUp(_ id: EntryID? = nil, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await eventually("caught up: \(self.status)", sourceLocation: sourceLocation) {
            let status = self.status
            return status.state == .reading && status.isCaughtUp && !status.isFilling
                && (status.cursor ?? .zero) >= (id ?? .zero)
        }
    }
}

extension RedisConnection {
    /// Adds a session's snapshot and returns the entry's id.
    @discardableResult
    func addSession(_ session: String, _ status: String = "active", id: String = "*") async throws -> EntryID {
        let answer = try await self.command(
            RESPCommand(
                "XADD", SessionPipeline.stream, id, "device_session_id", session, "user_id", "u", "client_public_key",
                "k", "status", status))
        return try #require(answer.string.flatMap { EntryID($0) })
    }
}
