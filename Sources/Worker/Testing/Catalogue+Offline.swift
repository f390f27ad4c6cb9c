import PipelineEngine
import SnapshotStores
import StageKit
import StageTestKit

extension Catalogue {
    /// The same types with nothing behind them that connects: settings are read and checked as ever, but every source
    /// delivers the given entries, every store is in memory, and nobody is told of revocations by the file.
    func offline(entries: [MemorySource.Entry], batchSize: Int) -> Catalogue {
        var offline = self
        for type in self.sources {
            offline.add(
                SourceType(name: type.name, summary: type.summary, settings: .unread(type.shape)) { node, setup in
                    type.make(node, setup).map {
                        MemorySource(stream: $0.stream, entries: entries, batchSize: batchSize)
                    }
                })
        }
        for type in self.stores {
            offline.add(
                StoreType(name: type.name, summary: type.summary, settings: .unread(type.shape)) { node, setup in
                    guard let store = type.make(node, setup) else { return nil }
                    return store is MemoryStore ? store : MemoryStore(name: store.name, keyField: store.keyField)
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

extension SettingType where Value == SettingNode {
    /// Settings as they stand in the file, for a type that has another one read them.
    fileprivate static func unread(_ shape: SettingShape) -> SettingType<SettingNode> {
        SettingType<SettingNode>(shape: shape) { node, _ in node }
    }
}
