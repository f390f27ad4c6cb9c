import ComponentKit
package import PipelineEngine
import StageKit

/// A graph for programs: `/v1/pipeline`, and other tools that draw it.
enum GraphJSON {
    /// Returns the graph; arrows identify their ends as `source`, `stage:NAME`, `store:NAME` and `end:WORD`.
    static func members(_ graph: GraphDescription) -> JSONValue {
        .members([
            "pipeline": .string(graph.pipeline),
            "source": .members(["type": .string(graph.source.type), "stream": .string(graph.source.stream)]),
            "stores": .array(
                graph.stores.map {
                    .members(["name": .string($0.name), "type": .string($0.type), "key": .string($0.keyField)])
                }),
            "stages": .array(graph.stages.map { self.stage($0) }),
            "arrows": .array(
                graph.arrows.map { arrow in
                    .members([
                        "from": .string(self.id(arrow.from, graph)), "to": .string(self.id(arrow.to, graph)),
                        "kind": .string(arrow.kind.rawValue), "label": arrow.label.map { .string($0) },
                    ])
                }),
        ])
    }

    /// One stage.
    static func stage(_ stage: GraphDescription.Stage) -> JSONValue {
        .members([
            "name": .string(stage.name), "type": .string(stage.type), "branch": stage.branch.map { .string($0) },
            "when": stage.condition.map { .string($0) }, "effects": .strings(stage.effects),
            "pure": .boolean(stage.isPure), "waits": .boolean(stage.waits),
        ])
    }

    /// Returns the identifier of a node: `source`, `stage:NAME`, `store:NAME` or `end:WORD`.
    static func id(_ vertex: GraphDescription.Vertex, _ graph: GraphDescription) -> String {
        switch vertex {
        case .source: "source"
        case .stage(let index): "stage:\(graph.stages[index].name)"
        case .store(let name): "store:\(name)"
        case .end(let word): "end:\(word)"
        }
    }
}

/// A running pipeline's graph and counters, as of the last complete batch.
package struct PipelineState {
    private let pipeline: Pipeline

    /// Creates the state of a pipeline; callable from any thread.
    package init(_ pipeline: Pipeline) {
        self.pipeline = pipeline
    }

    /// The document at `/v1/pipeline`: `graph`, `read`, `outcomes`, `stages`, `stores`, `source` and `reloads`.
    package var json: JSONValue {
        let statistics = self.pipeline.statistics
        let status = self.pipeline.status
        return .members([
            "graph": GraphJSON.members(self.pipeline.graph),
            "read": .integer(Int(clamping: statistics.read)),
            "outcomes": .array(
                statistics.outcomes.map { outcome in
                    .members([
                        "outcome": .string(outcome.outcome.name), "reason": .string(outcome.reason),
                        "count": .integer(Int(clamping: outcome.count)),
                    ])
                }),
            "stages": .array(
                statistics.stages.map { stage in
                    .members([
                        "name": .string(stage.name), "passed": .integer(Int(clamping: stage.passed)),
                        "finished": .integer(Int(clamping: stage.finished)),
                        "failed": .integer(Int(clamping: stage.failed)),
                        "skipped": .integer(Int(clamping: stage.skipped)),
                    ])
                }),
            "stores": .array(
                self.pipeline.stores.sorted { $0.key < $1.key }.map { name, store in
                    .members([
                        "name": .string(name),
                        "entries": store.remote == nil ? .integer(store.count) : nil,
                    ])
                }),
            "source": .members([
                "state": .string(status.state.rawValue), "cursor": status.cursor.map { .string("\($0)") },
                "reconnects": .integer(status.reconnects), "caught_up": .boolean(status.isCaughtUp),
                "last_error": status.lastError.map { .string($0) }, "detects_gaps": .boolean(status.detectsGaps),
                "credential_failures": .object(
                    self.pipeline.connections.failures.sorted { $0.key < $1.key }.map {
                        JSONValue.Member(name: $0.key, value: .integer($0.value))
                    }),
                "stalled": status.stalled.map { stalled in
                    .members([
                        "entries": .integer(stalled.entries),
                        "seconds": .integer(Int(stalled.duration.components.seconds)),
                        "stage": stalled.stage.map { .string($0) },
                    ])
                },
            ]),
            "reloads": self.reloads,
        ])
    }

    /// The active version of the file, and the results of reloads.
    private var reloads: JSONValue {
        let reloads = self.pipeline.reloads
        return .members([
            "generation": .integer(reloads.generation), "applied": .integer(Int(clamping: reloads.applied)),
            "unchanged": .integer(Int(clamping: reloads.unchanged)),
            "refused": .integer(Int(clamping: reloads.refused)),
            "last_error": reloads.lastError.map { .string($0) },
        ])
    }
}
