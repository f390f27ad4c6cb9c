import Admin
import ComponentKit
import Documentation
import EvictStage
import Foundation
import PipelineEngine
import RevokeStage
import StageKit

/// The known state and history of a key: its snapshot and the snapshot's age, and the outcomes of its events.
///
/// It combines three sources: the store (the last applied event, and the entry that evicted a key), the failed and
/// skipped events kept by `RecentOutcomes`, and the log of revocations. Applied events before the last one are not
/// remembered, and only the content of a checkpoint outlives the process.
struct Explanation {
    /// Maximum number of events, and of revocations, in the document.
    private static let limit = 20

    /// The pipeline.
    let pipeline: Pipeline
    /// The recorded events and revocations.
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
        let isSecret = store.map { self.pipeline.graph.secretFields.contains($0.keyField) } ?? false
        let key = FieldTable.shown(String(decoding: self.key, as: UTF8.self), isSecret: isSecret)
        let hidesKeys = self.pipeline.hidesRevokedKeys
        return .members([
            "key": .string(key), "store": .string(self.store),
            "held": held.map { self.snapshot($0) } ?? .null,
            "evicted_by": held == nil ? store?.evictingEntry(for: self.key.span).map { Self.entry($0) } : nil,
            "stale": stale.map { .string($0) },
            "events": .array(
                self.watch.recent.events(of: self.key, limit: Self.limit).map { .written($0.json) }),
            "revocations": .array(
                self.watch.revocations.newest(of: self.key, limit: Self.limit).map {
                    Self.revocation($0, isSecret: hidesKeys)
                }),
            "memory": .members([
                "events_told": .integer(Int(clamping: counts.kept)),
                "events_not_kept": .integer(Int(clamping: counts.unkept)),
                "limit": .integer(RecentOutcomes.limit),
            ]),
        ])
    }

    /// Returns the snapshot without the values of secret fields.
    private func snapshot(_ snapshot: Snapshot) -> JSONValue {
        let secrets = self.pipeline.graph.secretFields
        let types = self.pipeline.graph.fieldTypes
        let fields = snapshot.fields.map { field -> JSONValue.Member in
            let isSecret = secrets.contains(field.name)
            if let integer = field.integer, !isSecret {
                return .init(name: field.name, value: .integer(Int(integer)))
            }
            if !isSecret, let typed = field.typedValue(types[field.name]), typed != .bytes {
                return .init(name: field.name, value: .written(JSONText.text(of: typed, written: field.bytes)))
            }
            let text = FieldTable.shown(String(decoding: field.bytes, as: UTF8.self), isSecret: isSecret)
            return .init(name: field.name, value: .string(text))
        }
        return Self.entry(snapshot.entryID).adding(.members(["fields": .object(fields)]))
    }

    /// Returns an entry's id and the time it was added to the stream, taken from the id.
    private static func entry(_ id: EntryID) -> JSONValue {
        .members(["entry": .string(id.description), "added_ms": .integer(Int(clamping: id.milliseconds))])
    }

    /// Returns a revocation; an eviction or a reset also has a `kind` and a `reason`. A secret key is replaced by a
    /// placeholder.
    static func revocation(_ entry: RevocationLog.Notice, isSecret: Bool) -> JSONValue {
        let key = [UInt8](copying: entry.key.span, limit: WatchLine.valueLimit)
        var members: JSONValue = .members([
            "number": .integer(Int(clamping: entry.number)), "entry": .string(entry.entry.description),
            "added_ms": .integer(Int(clamping: entry.entry.milliseconds)),
            "key": .string(FieldTable.shown(String(decoding: key, as: UTF8.self), isSecret: isSecret && !key.isEmpty)),
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

extension Pipeline {
    /// Whether the keys of revocations and evictions must be hidden from people, because one of them comes from a
    /// secret field.
    ///
    /// The log of revocations does not know the field of a key, so one secret field hides all keys.
    var hidesRevokedKeys: Bool {
        let secrets = self.graph.secretFields
        if secrets.isEmpty { return false }
        let stages = [RevokeStage.declaration.name, EvictStage.declaration.name].flatMap { self.settings(ofStages: $0) }
        let keys = stages.compactMap { node -> String? in
            if case .scalar(let name, _)? = node["key"]?.content { name } else { nil }
        }
        return !secrets.isDisjoint(with: keys + self.stores.values.map(\.keyField))
    }
}
