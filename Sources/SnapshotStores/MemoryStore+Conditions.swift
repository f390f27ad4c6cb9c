import ComponentKit
public import StageKit
import Synchronization

// Conditions for lookups, evaluated when a record is written.
extension MemoryStore {
    /// Returns the condition that a field of a snapshot has exactly this value, for `check`.
    ///
    /// Create it once: the store keeps the results of its first eight different conditions next to each key. It
    /// evaluates a new one for every snapshot, about 100 ms per million snapshots, while lookups and changes continue.
    /// Further conditions are answered from the field.
    public func condition(_ field: String, equals value: String) -> SnapshotCondition {
        self.condition(self.field(field), equals: Array(value.utf8))
    }

    private func condition(_ field: SnapshotField, equals expected: [UInt8]) -> SnapshotCondition {
        // Held until all records are marked: concurrent requests for the same condition wait for its answers.
        self.marked.withLock { conditions in
            if let known = conditions.find(field, expected) { return known }
            guard let condition = conditions.add(field, expected) else {
                return SnapshotCondition(field: field, expected: expected, mark: 0)
            }
            self.mark(conditions)
            return condition
        }
    }

    /// Returns the condition of a pipeline file.
    ///
    /// If it is more than one value of one field, it is evaluated at each lookup.
    public func condition(_ settings: ConditionSettings) -> SnapshotCondition {
        let program = self.program(settings)
        if let (field, value) = program.singleValue {
            return self.condition(SnapshotField(number: UInt8(field)), equals: value)
        }
        return SnapshotCondition(program)
    }

    /// Returns the condition that the store's settings declare under this name, or `nil` if there is none.
    public func condition(named name: String) -> SnapshotCondition? {
        guard let settings = self.conditions.first(where: { $0.name == name })?.value else { return nil }
        guard let share = self.share else { return self.condition(settings) }
        return share.conditions.withLock { known in
            if let condition = known[name] { return condition }
            let condition = self.sharedCondition(settings)
            known[name] = condition
            return condition
        }
    }

    /// A condition with a mark, which other processes can read.
    private func sharedCondition(_ settings: ConditionSettings) -> SnapshotCondition {
        let program = self.program(settings)
        if program.singleValue != nil { return self.condition(settings) }
        // A mark does not change with time.
        if program.usesTime { return SnapshotCondition(program) }
        return self.marked.withLock { conditions in
            guard let condition = conditions.add(program) else { return SnapshotCondition(program) }
            self.mark(conditions)
            return condition
        }
    }

    private func program(_ settings: ConditionSettings) -> SnapshotProgram {
        SnapshotProgram(settings) { Int(self.field($0).number) }
    }

    private func mark(_ conditions: MarkedConditions) {
        // Later records are marked by their writer.
        self.changes.withLock { $0.conditions = conditions }
        for shard in 0..<self.shards.count { self.markRecords(ofShard: shard, conditions) }
    }

    private func markRecords(ofShard shard: Int, _ conditions: MarkedConditions) {
        self.changes.withLock { _ in
            self.shards.table(shard).forEach { slot, _ in
                let record = self.records.record(slot.location)
                if record.isTrace { return }
                let marks =
                    self.hidden == nil
                    ? conditions.marks(of: record) : self.clone(record).withRecord { conditions.marks(of: $0) }
                if marks == record.marks { return }
                self.shards.change(shard) { RecordHead.mark(self.records.words(of: slot.location), marks) }
            }
        }
    }
}
