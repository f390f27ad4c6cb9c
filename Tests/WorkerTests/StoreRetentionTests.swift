import ComponentKit
import PipelineEngine
import StageKit
import StageTestKit
import Testing
import Worker

/// A store that a program adds, with its content in the given place.
private final class AddedStore: SnapshotStore {
    let name: String
    let keyField = "id"
    let count = 0
    let freshness: Freshness? = Freshness()
    let retention: StoreRetention

    init(_ name: String, _ retention: StoreRetention) {
        self.name = name
        self.retention = retention
    }

    func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}
    func removeAll() {}
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        RecordingStore().makeWriter(key: key, fields: fields)
    }
}

@Suite struct StoreRetentionTests {
    private func issues(_ retention: StoreRetention, checkpoint: Bool) -> [String] {
        var catalogue = Catalogue.standard
        catalogue.add(
            StoreType(
                name: "added", summary: "A store of a test.",
                settings: SettingType<SettingNode>(shape: .object([])) { node, _ in node }
            ) { _, setup in AddedStore(setup.name, retention) })
        let text = """
            pipeline: p
            redis: { address: "a:1" }
            source: { redis_stream: { stream: s } }
            \(checkpoint ? "checkpoint: { path: /nowhere/checkpoint }" : "")
            stores: { kept: { memory: { key: id } }, things: { added: {} } }
            stages:
              - decode: { fields: { id: { required: true, blank: reject } } }
              - upsert: { store: things }
            """
        return FileFindings(text, catalogue: catalogue).errors
    }

    @Test(
        "A checkpoint is refused if a store would be empty at its cursor",
        arguments: [StoreRetention.process, .checkpoint])
    func refused(retention: StoreRetention) {
        #expect(
            self.issues(retention, checkpoint: true) == [
                "p.yaml:4:13: checkpoint: it cannot save the store \"things\", which would be empty after a restart: "
                    + "remove the section, or choose another type of store"
            ])
        #expect(self.issues(retention, checkpoint: false) == [])
    }

    @Test("A persistent store is not part of a checkpoint")
    func own() {
        #expect(self.issues(.own, checkpoint: true) == [])
    }
}
