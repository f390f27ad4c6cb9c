import Foundation
import Logging
import PipelineEngine
import StageKit
import StageTestKit

/// What a pipeline does, entry by entry, in the order it is done, as lines that compare with those of the reference.
final class ReferenceTrace: Sendable {
    /// The error that a store is made to refuse a record with.
    static let forcedFailure = "forced failure"
    /// How our own words for a status that is none begin.
    static let badStatus = "validate: status: unsupported value"

    /// The entries of a batch, with what the drop counters went up by when it ended.
    struct Batch: Sendable {
        var ids: [EntryID]
        var drops: [String: Int64]
    }

    private struct State {
        var effects: [EntryID: [String]] = [:]
        var records: [EntryID: EventResult] = [:]
        var ids: [EntryID] = []
        var batches: [Batch] = []
        var counted: [String: Int64] = [:]
    }

    private let state = OrderedMutex(State())

    var batches: [Batch] { self.state.withLock(\.batches) }
    var entries: Int { self.state.withLock { $0.records.count } }

    /// The line of an upsert: what the store holds after the change, with the time of the revocation as it has it.
    static func line(_ snapshot: Snapshot?, _ id: EntryID, _ change: StoreChange, revoked: String?) -> String {
        guard let snapshot, snapshot.entryID == id, change == .applied else { return "upsert \(change)" }
        let names = ["device_session_id", "user_id", "client_public_key", "status"]
        let values = names.map { name in
            snapshot.fields.first { $0.name == name }.map { self.show($0.bytes) } ?? "null"
        }
        return "upsert \(values.joined(separator: " ")) \(revoked ?? "null")"
    }

    func effects(of id: EntryID) -> [String] { self.state.withLock { $0.effects[id] ?? [] } }
    func record(of id: EntryID) -> EventResult? { self.state.withLock { $0.records[id] } }

    func add(_ id: EntryID, _ effect: String) {
        self.state.withLock { $0.effects[id, default: []].append(effect) }
    }

    func settle(_ id: EntryID, _ record: EventResult) {
        self.state.withLock { state in
            state.records[id] = record
            state.ids.append(id)
        }
    }

    /// Ends a batch; `counters` are those that stand then.
    func endBatch(_ counters: [String: Int64]) {
        self.state.withLock { state in
            let drops = counters.filter { $0.key.hasPrefix("internal_event_drops") }
                .map { ($0.key, $0.value - (state.counted[$0.key] ?? 0)) }.filter { $0.1 > 0 }
            state.batches.append(Batch(ids: state.ids, drops: Dictionary(uniqueKeysWithValues: drops)))
            state.counted = counters
            state.ids = []
        }
    }

    /// Bytes on a line: text in quotes, base 64 where they are not UTF-8.
    static func show(_ bytes: [UInt8]) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return "base64 \(Data(bytes).base64EncodedString())"
        }
        return "\"\(text)\""
    }

    /// The part of an error that must be the same here and there: for a number what is wrong is said in our own words,
    /// a store's refusal has another name before it, and of a bad status only that it is one is told.
    static func comparable(_ error: String) -> String {
        let number = "decode session event: revoked_at_ms: "
        if error.hasPrefix(number) { return number }
        if error.hasPrefix(self.badStatus) { return self.badStatus }
        for store in ["upsert session snapshot: ", "upsert: "] where error.hasPrefix(store) {
            return "store: \(error.dropFirst(store.count))"
        }
        return error
    }
}

/// Takes the outcome of every event and the end of every batch.
final class ReferenceObserver: OutcomeObserver {
    private let trace: ReferenceTrace
    private let metrics: RecordingMetrics

    init(_ trace: ReferenceTrace, _ metrics: RecordingMetrics) {
        self.trace = trace
        self.metrics = metrics
    }

    func observe(_ event: borrowing Event, _ record: EventResult) {
        self.trace.settle(event.id, record)
    }

    func endBatch() async throws {
        self.trace.endBatch(self.metrics.counters)
    }
}

/// Notes revocations.
struct ReferenceRevocations: RevocationHandler {
    let trace: ReferenceTrace

    func revoke(_ event: borrowing Event, key: FieldID) {
        self.trace.add(event.id, "revoke \(ReferenceTrace.show(event.copy(of: key)))")
    }
}

/// Notes warnings that are about an entry.
struct ReferenceLog: LogHandler {
    let trace: ReferenceTrace
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let values = (event.metadata ?? [:]).mapValues(\.description)
        guard let entry = values["entry"].flatMap({ EntryID($0) }), values["stream"] == "gateway:session_events" else {
            return
        }
        // The reference names the session in the warning only where the store refused it.
        var session = ""
        if values["reason"] != "malformed_event" {
            let encoded = values["device_session_id_b64"].flatMap { Data(base64Encoded: $0) }.map { Array($0) }
            let bytes = encoded ?? values["device_session_id"].map { Array($0.utf8) }
            session = bytes.map { " \(ReferenceTrace.show($0))" } ?? " without a session"
        }
        let error = ReferenceTrace.comparable(values["error"] ?? "no error")
        self.trace.add(entry, "warn \(entry)\(session) \(error)")
    }
}
