import ComponentKit
import StageKit

/// The store and the checkpoint of a source in a check.
struct SourceSurroundings {
    /// The store that the source fills.
    let store = FedStore()
    /// The checkpoint.
    let checkpoint: RecordingCheckpoint

    /// Creates an empty store and a checkpoint.
    init(_ checkpoint: RecordingCheckpoint = RecordingCheckpoint()) {
        self.checkpoint = checkpoint
    }
}

/// A store that records the calls of a source. No stage changes it.
final class FedStore: StreamFedStore {
    private struct State {
        var streams: [String] = []
        var isEmptied = false
        var wasEmptied = false
    }

    /// The store's name in the file.
    let name = "fed"
    /// The field whose value is a snapshot's key.
    let keyField = "id"
    /// 0: no stage changes the store.
    let count = 0
    /// The freshness that the source writes.
    let freshness: Freshness? = Freshness()
    /// `.process`: the store has no content.
    let retention = StoreRetention.process
    private let state = OrderedMutex(State())

    /// Whether lookups must not be answered now.
    var isStale: Bool { self.freshness?.isStale ?? true }

    /// The streams that feed the store.
    var streams: [String] { self.state.withLock(\.streams) }

    /// Whether a removal was requested and completed.
    var wasEmptied: Bool { self.state.withLock(\.wasEmptied) }

    /// Records the streams.
    func setStreams(_ names: [String]) { self.state.withLock { $0.streams = names } }

    /// Does nothing.
    func setHistoryStart(_ entry: EntryID, of stream: Int) {}

    /// `nil`: the store has no content.
    func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }

    /// Does nothing.
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}

    /// Records the request.
    func removeAll() { self.state.withLock { $0.isEmptied = true } }

    /// Completes the request.
    func finishRemoval() async throws { self.state.withLock { $0.wasEmptied = $0.isEmptied } }

    /// Returns a writer of another store: no stage uses it.
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        RecordingStore().makeWriter(key: key, fields: fields)
    }
}
