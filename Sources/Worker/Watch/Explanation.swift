import Admin
import Foundation
import PipelineEngine
import StageKit

/// What is known of a key: what the store holds and since when, and what happened to its events.
///
/// It comes from three memories: the store (the last event that was applied, and the entry that evicted a key), the
/// failed and skipped events kept by `RecentOutcomes`, and the log of revocations. Applied events before the last one
/// are not remembered, and nothing outlives the process but what a checkpoint keeps.
struct Explanation {
    /// Events and revocations told.
    private static let limit = 20

    /// The pipeline.
    let pipeline: Pipeline
    /// What is remembered.
    let watch: Watch
    /// The store's name.
    let store: String
    /// The key.
    let key: [UInt8]

    /// The document: `key`, `store`, `held`, `evicted_by`, `stale`, `events`, `revocations`, `memory`.
    var json: JSONValue {
        let store = self.pipeline.stores[self.store]
        let stale = Readiness.staleness(of: self.store, in: self.pipeline.stores)
        let held = store?.snapshot(for: self.key.span)
        let counts = self.watch.recent.counts
        return .members([
            "key": .string(String(decoding: self.key, as: UTF8.self)), "store": .string(self.store),
            "held": held.map { self.snapshot($0) } ?? .null,
            "evicted_by": held == nil ? store?.evictingEntry(for: self.key.span).map { Self.entry($0) } : nil,
            "stale": stale.map { .string($0) },
            "events": .array(
                self.watch.recent.events(of: self.key, limit: Self.limit).map { .written($0.json) }),
            "revocations": .array(
                self.watch.revocations.newest(of: self.key, limit: Self.limit).map { Self.revocation($0) }),
            "memory": .members([
                "events_told": .integer(Int(clamping: counts.kept)),
                "events_not_kept": .integer(Int(clamping: counts.unkept)),
                "limit": .integer(RecentOutcomes.limit),
            ]),
        ])
    }

    /// What is held, without the values of secret fields.
    private func snapshot(_ snapshot: Snapshot) -> JSONValue {
        let secrets = self.pipeline.graph.secretFields
        let fields = snapshot.fields.map { field -> JSONValue.Member in
            if secrets.contains(field.name) { return .init(name: field.name, value: .string(FieldTable.mark)) }
            if let integer = field.integer { return .init(name: field.name, value: .integer(Int(integer))) }
            return .init(name: field.name, value: .string(String(decoding: field.bytes, as: UTF8.self)))
        }
        return Self.entry(snapshot.entryID).adding(.members(["fields": .object(fields)]))
    }

    /// An entry's id and, as its id has it, when it was added to the stream.
    private static func entry(_ id: EntryID) -> JSONValue {
        .members(["entry": .string(id.description), "added_ms": .integer(Int(clamping: id.milliseconds))])
    }

    /// A revocation; an eviction or a reset has a `kind` and a `reason` too.
    static func revocation(_ entry: RevocationLog.Entry) -> JSONValue {
        let key = [UInt8](copying: entry.key.span, limit: WatchLine.valueLimit)
        var members: JSONValue = .members([
            "number": .integer(Int(clamping: entry.number)), "entry": .string(entry.entry.description),
            "added_ms": .integer(Int(clamping: entry.entry.milliseconds)),
            "key": .string(String(decoding: key, as: UTF8.self)),
        ])
        switch entry.kind {
        case .revocation: break
        case .eviction(let reason):
            members = members.adding(.members(["kind": .string("eviction"), "reason": .string(reason)]))
        case .reset(let store, let reason):
            members = members.adding(
                .members(["kind": .string("reset"), "store": .string(store), "reason": .string(reason)]))
        }
        return members
    }
}
