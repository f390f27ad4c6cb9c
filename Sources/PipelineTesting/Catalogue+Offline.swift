import ComponentKit
import PipelineEngine
import SnapshotStores
import StageKit
import StageTestKit

extension Catalogue {
    /// Returns the same types without connections: settings are read and checked as usual, but every source delivers
    /// the given entries, a store outside of the process is replaced by one in memory, and the file's section for revocations notifies nobody.
    func offline(entries: [MemorySource.Entry], batchSize: Int) -> Catalogue {
        var offline = self
        for type in self.sources {
            offline.add(
                type.making { node, setup in
                    type.make(node, setup).map {
                        MemorySource(
                            stream: $0.stream, entries: entries, batchSize: batchSize, groupName: $0.groupName)
                    }
                })
        }
        for type in self.stores {
            offline.add(
                type.making { node, setup in
                    setup.isRehearsal = true
                    guard let store = type.make(node, setup) else { return nil }
                    guard store.retention == .own else { return store }
                    return MemoryStore(
                        name: store.name, keyField: store.keyField, conditions: store.conditional?.conditions ?? [],
                        index: store.indexed?.indexedFields ?? [])
                })
        }
        let makeRevocationHandler = self.makeRevocationHandler
        offline.makeRevocationHandler = { setup in
            _ = makeRevocationHandler?(setup)
            return nil
        }
        return offline
    }
}
