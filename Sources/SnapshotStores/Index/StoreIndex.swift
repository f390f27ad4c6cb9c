import StageKit

/// The index of a store's snapshots; owned by the holder of the store's `changes`.
struct StoreIndex: Sendable {
    /// The maximum number of indexed fields: each takes memory per snapshot, and time with every change.
    static let fieldLimit = 4

    /// The index of each field, in the order of the file.
    var values: [ValueIndex]
    /// The hashes of a record's values in the indexed fields before the record was replaced or removed; scratch memory.
    var before: [UInt64?]
    /// The values whose snapshots were ended.
    var ended: EndedValues
    /// The records that were ended and not announced yet, by the ender; a checkpoint contains them as if they were live.
    private var unannounced: [Int: [EndedSnapshot]] = [:]
    private var enders = 0

    /// Creates the index of an empty store.
    init(fields: Int, endedValues: Int = EndedValues.limit) {
        self.values = Array(repeating: ValueIndex(), count: fields)
        self.before = Array(repeating: nil, count: fields)
        self.ended = EndedValues(limit: endedValues)
    }

    /// Returns the number of a new ender.
    mutating func addEnder() -> Int {
        self.enders += 1
        return self.enders
    }

    /// Keeps an ended record until it was announced.
    mutating func keep(_ record: EndedSnapshot, of ender: Int) {
        self.unannounced[ender, default: []].append(record)
    }

    /// Forgets the records of an ender, which were announced.
    mutating func announced(_ ender: Int) {
        self.unannounced[ender] = nil
    }

    /// The number of records that were not announced.
    var unannouncedCount: Int { self.unannounced.values.reduce(0) { $0 + $1.count } }

    /// The newest record of each key of a shard that was not announced.
    func unannounced(ofShard shard: Int) -> [EndedSnapshot] {
        if self.unannounced.isEmpty { return [] }
        var newest: [[UInt8]: EndedSnapshot] = [:]
        for record in self.unannounced.values.joined() where record.shard == shard {
            if let known = newest[record.key], known.entry >= record.entry { continue }
            newest[record.key] = record
        }
        return Array(newest.values)
    }

    /// Removes everything: the store was emptied.
    mutating func removeAll() {
        for field in self.values.indices { self.values[field] = ValueIndex() }
        self.ended.removeAll()
        self.unannounced = [:]
    }

    /// The approximate number of bytes.
    var usedBytes: Int { self.values.reduce(0) { $0 + $1.usedBytes } }
}

/// A record that was ended by an event, as it was before.
struct EndedSnapshot: Sendable {
    /// The key.
    let key: [UInt8]
    /// The entry of the record.
    let entry: EntryID
    /// The shard.
    let shard: Int
    /// The complete record.
    let record: RecordClone
}

/// The indexed fields of a store.
final class IndexedFields: Sendable {
    /// The names, in the order of the file.
    let names: [LocatedName]
    /// The fields' numbers.
    let numbers: [UInt8]
    /// How the stages of the graph use the index.
    let use = OrderedMutex(Use())

    /// How stages use an index.
    struct Use: Sendable {
        /// Whether a stage ends snapshots by an indexed field.
        var hasEnders = false
        /// The fields of snapshots that such stages compare.
        var compared: [LocatedName] = []
    }

    /// Numbers the fields.
    init(_ fields: [LocatedName], names: inout FieldNames) {
        self.names = fields
        self.numbers = fields.map { names.number(of: $0.text) }
    }
}
