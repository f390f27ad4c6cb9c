/// The hashes of the keys under one value, each once, however many keys have the same hash.
///
/// Most values have one key or a handful. A value with many keys has a set, so that removing one key never takes time
/// proportional to their number.
enum KeyHashes: Sendable {
    /// The maximum number of hashes in a list: comparing as many takes as long as a lookup in a set.
    static let listLimit = 32

    /// The only hash.
    case one(UInt64)
    /// From 2 to `listLimit` hashes.
    case few([UInt64])
    /// More hashes.
    case many(Set<UInt64>)

    /// The number of hashes.
    var count: Int {
        switch self {
        case .one: 1
        case .few(let list): list.count
        case .many(let set): set.count
        }
    }

    /// Returns up to `limit` hashes, in no particular order.
    func prefix(_ limit: Int) -> [UInt64] {
        switch self {
        case .one(let hash): limit > 0 ? [hash] : []
        case .few(let list): Array(list.prefix(limit))
        case .many(let set): Array(set.prefix(limit))
        }
    }

    /// Adds a hash; returns whether it was new.
    mutating func insert(_ hash: UInt64) -> Bool {
        switch self {
        case .one(let only):
            if only == hash { return false }
            self = .few([only, hash])
        case .few(var list):
            if list.contains(hash) { return false }
            // Releases the list, so that it is not copied.
            self = .one(hash)
            list.append(hash)
            self = list.count > Self.listLimit ? .many(Set(list)) : .few(list)
        case .many(var set):
            self = .one(hash)
            let isNew = set.insert(hash).inserted
            self = .many(set)
            return isNew
        }
        return true
    }

    /// Removes a hash; returns `nil` if none would be left, otherwise whether it was there.
    mutating func remove(_ hash: UInt64) -> Bool? {
        switch self {
        case .one(let only):
            return only == hash ? nil : false
        case .few(var list):
            guard let index = list.firstIndex(of: hash) else { return false }
            self = .one(hash)
            list.swapAt(index, list.count - 1)
            list.removeLast()
            self = list.count == 1 ? .one(list[0]) : .few(list)
            return true
        case .many(var set):
            self = .one(hash)
            let wasThere = set.remove(hash) != nil
            // Half the limit, so that a value at the limit does not change its form with every key.
            self = set.count <= Self.listLimit / 2 ? .few(Array(set)) : .many(set)
            return wasThere
        }
    }
}

/// The hashes of keys by the hash of their snapshots' value in one field.
///
/// It only narrows a search down: the records with a hash are compared with the value itself.
struct ValueIndex: Sendable {
    /// The number of tables. One that grows is copied, while changes of the store wait: some milliseconds with a million
    /// values.
    private static let tableBits = 6
    /// The size of a value's place in a table: its hash, the keys' hashes and a bit, with a quarter of the places empty.
    private static let placeBytes = (MemoryLayout<UInt64>.stride + MemoryLayout<KeyHashes>.stride) * 4 / 3
    /// The size of a hash outside of the tables, with room for growth.
    private static let listedBytes = MemoryLayout<UInt64>.stride * 3 / 2
    /// The head of a list or a set.
    private static let headBytes = 32

    private var tables = [[UInt64: KeyHashes]](repeating: [:], count: 1 << tableBits)
    /// The number of hashes in lists and sets.
    private var listed = 0
    /// The number of lists and sets.
    private var lists = 0

    /// Adds a key's hash under a value's hash, unless it is there.
    mutating func insert(_ key: UInt64, under value: UInt64) {
        let table = Self.table(of: value)
        guard let before = self.tables[table][value]?.count else {
            self.tables[table][value] = .one(key)
            return
        }
        guard self.tables[table][value]?.insert(key) == true else { return }
        self.listed += before == 1 ? 2 : 1
        if before == 1 { self.lists += 1 }
    }

    /// Removes a key's hash under a value's hash, if it is there.
    mutating func remove(_ key: UInt64, under value: UInt64) {
        let table = Self.table(of: value)
        guard let before = self.tables[table][value]?.count else { return }
        switch self.tables[table][value]?.remove(key) {
        case .none: self.tables[table].removeValue(forKey: value)
        case .some(true):
            self.listed -= before == 2 ? 2 : 1
            if before == 2 { self.lists -= 1 }
        case .some(false): break
        }
    }

    /// Returns up to `limit` hashes of the keys under a value's hash, and their total number.
    func keys(under value: UInt64, limit: Int = .max) -> (hashes: [UInt64], total: Int) {
        guard let keys = self.tables[Self.table(of: value)][value] else { return ([], 0) }
        return (keys.prefix(limit), keys.count)
    }

    /// The approximate number of bytes.
    var usedBytes: Int {
        self.tables.reduce(0) { $0 + $1.capacity * Self.placeBytes }
            + self.listed * Self.listedBytes + self.lists * Self.headBytes
    }

    /// The number of values.
    var count: Int { self.tables.reduce(0) { $0 + $1.count } }

    private static func table(of value: UInt64) -> Int { Int(truncatingIfNeeded: value) & (1 << Self.tableBits - 1) }
}
