import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import StageKit
import Testing
import Worker

/// Runs a pipeline with everything that ships, in this process, until `body` is done; then it is stopped.
func withPipeline<R>(
    _ text: String, services: PipelineServices = PipelineServices(logger: quiet), _ body: (Pipeline) async throws -> R
) async throws -> R {
    let pipeline = try Pipeline(
        text: Array(text.utf8), file: "pipeline.yaml", catalogue: .standard, services: services)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await pipeline.run() }
        let result: Result<R, any Error>
        do { result = .success(try await body(pipeline)) } catch { result = .failure(error) }
        pipeline.source.stop()
        try await group.waitForAll()
        return try result.get()
    }
}

extension Pipeline {
    /// Waits until every one of `count` entries has its outcome.
    func untilDone(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await eventually("\(count) entries have their outcome", sourceLocation: sourceLocation) {
            self.statistics.read >= UInt64(count)
        }
    }

    /// How many events ended in each way: `dropped publish_failure: 3`.
    var endings: [String] {
        self.statistics.outcomes.filter { $0.count > 0 }
            .map { "\($0.outcome.name) \($0.reason): \($0.count)" }.sorted()
    }

    /// Whether every entry read has ended in exactly one outcome.
    var isConserved: Bool {
        let statistics = self.statistics
        return statistics.read == statistics.outcomes.reduce(0) { $0 + $1.count }
    }
}

extension RedisConnection {
    /// Adds entries to a stream, many at a time; the ids are `1-0`, `2-0` and so on.
    func addAll(_ stream: String, _ entries: [[(String, String)]]) async throws {
        for start in stride(from: 0, to: entries.count, by: 500) {
            let commands = (start..<min(start + 500, entries.count)).map { index in
                RESPCommand(
                    "XADD",
                    arguments: [stream.respBytes, "\(index + 1)-0".respBytes]
                        + entries[index].flatMap { [$0.0.respBytes, $0.1.respBytes] })
            }
            for reply in self.submit(commands) {
                let id = try await reply.reply().value().string
                #expect(id != nil)
            }
        }
    }

    /// The ids of all entries of a stream, oldest first.
    func ids(_ stream: String) async throws -> [String] {
        let entries = try await self.command(RESPCommand("XRANGE", stream, "-", "+")).array ?? []
        return entries.compactMap { $0.array?.first?.string }
    }

    /// The fields of all entries of a stream, oldest first, names and values in turn.
    func entries(_ stream: String) async throws -> [[String]] {
        let entries = try await self.command(RESPCommand("XRANGE", stream, "-", "+")).array ?? []
        return entries.compactMap { $0.array?.last?.array?.compactMap(\.string) }
    }
}
