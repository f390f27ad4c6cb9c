import StageKit
import Synchronization

// Conditions: what look-ups ask, worked out when a record is written.
extension MemoryStore {
    /// The question whether a field of a snapshot has exactly this value, to be asked with `check`.
    ///
    /// Make it once: the first eight different ones that a store is asked for are answered beside each key, for which all
    /// that the store holds is gone through, some 100 ms a million snapshots, while look-ups and changes go on. Those
    /// beyond are answered from the field.
    public func condition(_ field: String, equals value: String) -> SnapshotCondition {
        let (field, expected) = (self.field(field), Array(value.utf8))
        // Held until all records are marked: whoever asks for the same one meanwhile waits for its answers.
        return self.conditions.withLock { conditions in
            if let known = conditions.find(field, expected) { return known }
            guard let condition = conditions.add(field, expected) else {
                return SnapshotCondition(field: field, expected: expected, mark: 0)
            }
            let marked = conditions
            // What is written from here on is marked by its writer.
            self.changes.withLock { $0.conditions = marked }
            for shard in 0..<self.shards.count { self.markRecords(ofShard: shard, marked) }
            return condition
        }
    }

    private func markRecords(ofShard shard: Int, _ conditions: MarkedConditions) {
        self.changes.withLock { _ in
            self.shards.table(shard).forEach { slot, _ in
                let record = self.records.record(slot.place)
                if record.isTrace { return }
                let marks = conditions.marks(of: record)
                if marks == record.marks { return }
                self.shards.change(shard) { RecordHead.mark(self.records.words(of: slot.place), marks) }
            }
        }
    }
}
