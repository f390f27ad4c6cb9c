import Admin
import ComponentKit
import Logging
import Operations
import PipelineEngine
import StageKit
import Worker

/// Makes pipelines of the shipped file, everything as the worker has it but for the HTTP side.
enum BenchPipeline {
    /// Warnings go to standard error, as the worker's do: a flood of one kind is a few lines and a number.
    static var services: PipelineServices {
        let (logger, _) = LogGate.logger(label: "bench", .text, level: .warning)
        return PipelineServices(logger: logger, metrics: MetricsRegistry())
    }

    /// The shipped types, the file's source metered.
    static func metered(limit: Int) -> Catalogue {
        var catalogue = Catalogue.standard
        for type in catalogue.sources {
            catalogue.add(
                type.making { node, setup in type.make(node, setup).map { MeteredSource($0, limit: limit) } })
        }
        return catalogue
    }

    /// Puts a recorder behind each memory store.
    static func stamp(_ catalogue: inout Catalogue, _ recorder: LatencyRecorder) {
        for type in catalogue.stores {
            catalogue.add(
                type.making { node, setup in type.make(node, setup).map { StampedStore($0, recorder: recorder) } })
        }
    }

    /// Adds a source that the file can name `name`.
    static func add(_ source: any EventSource, named name: String, to catalogue: inout Catalogue) {
        catalogue.add(
            SourceType(name: name, summary: "Made by the bench.", settings: self.raw(.text)) { _, _ in source })
    }

    /// Runs a pipeline, calls `body` once the pipeline has caught up, and stops the pipeline.
    ///
    /// The first error ends both: a pipeline that cannot start does not leave `body` waiting for it.
    static func run(_ pipeline: Pipeline, beside body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pipeline.run() }
            group.addTask {
                defer { pipeline.source.stop() }
                while !pipeline.source.status.isCaughtUp {
                    if pipeline.source.status.state == .stopped {
                        throw ToolFailure(description: "the pipeline ended before it had caught up")
                    }
                    try await Task.sleep(for: Self.nap)
                }
                try await body()
            }
            // Not `waitForAll`, which waits for the others after an error.
            for try await _ in group {}
        }
    }

    /// The time between two looks at a pipeline that starts.
    private static let nap: Duration = .milliseconds(2)

    /// Settings that are handed on as they stand.
    private static func raw(_ shape: SettingShape) -> SettingType<SettingNode> {
        SettingType(shape: shape) { node, _ in node }
    }
}
