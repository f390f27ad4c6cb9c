/// A map that remembers a value for each of the most recent keys, up to a limit, at which a new key replaces the
/// oldest.
///
/// Keys are removed in insertion order, whether or not they were looked up since. Memory doubles up to the limit and is
/// then constant: at the limit nothing allocates. A key costs its value and about 32 bytes.
public struct RecentKeys<Value: BitwiseCopyable> {
    /// The greatest allowed limit: 2^24 keys, about 500 MiB or more.
    public static var greatestLimit: Int { 1 << 24 }
    /// The number of keys in the first allocation.
    @usableFromInline static var firstCapacity: Int { 64 }

    @usableFromInline
    struct Item: BitwiseCopyable {
        @usableFromInline var key: EventKey
        @usableFromInline var value: Value

        @inlinable
        init(key: EventKey, value: Value) {
            self.key = key
            self.value = value
        }
    }

    /// The maximum number of keys.
    public let limit: Int
    /// The current number of keys.
    public private(set) var count = 0

    /// A ring: `count` items from `head` on, the oldest first.
    @usableFromInline var items: [Item] = []
    @usableFromInline var head = 0
    /// Open addressing with linear probing: indices into `items`, -1 for none; at most half of it is used.
    @usableFromInline var table: [Int32] = []

    /// Creates an empty map; `limit` is 1 to `greatestLimit`.
    public init(limit: Int) {
        precondition((1...RecentKeys.greatestLimit).contains(limit), "a limit of 1 to \(RecentKeys.greatestLimit)")
        self.limit = limit
    }

    /// Returns the index of a key's value, for the subscript, or `nil` if the key is not remembered. Valid until the
    /// next change.
    @inlinable
    public func index(of key: EventKey) -> Int? {
        if self.table.isEmpty { return nil }
        let slot = self.slot(of: key)
        return self.table[slot] < 0 ? nil : Int(self.table[slot])
    }

    /// The value at an index returned by `index(of:)`.
    @inlinable
    public subscript(index: Int) -> Value {
        get { self.items[index].value }
        set { self.items[index].value = newValue }
    }

    /// The value of the oldest key, or `nil` if the map is empty.
    @inlinable
    public var oldest: Value? { self.count == 0 ? nil : self.items[self.head].value }

    /// Adds a value for a key that is not remembered yet. At the limit the oldest key is removed.
    public mutating func insert(_ key: EventKey, _ value: Value) {
        let item = Item(key: key, value: value)
        if self.count == self.limit { self.removeOldest() }
        if self.count == self.items.count { self.grow(item) }
        let index = self.ringIndex(self.count)
        self.items[index] = item
        self.count += 1
        self.table[self.slot(of: key)] = Int32(index)
    }

    /// Removes the oldest key. The map must not be empty.
    public mutating func removeOldest() {
        precondition(self.count > 0, "nothing is remembered")
        var hole = self.slot(of: self.items[self.head].key)
        let mask = self.table.count - 1
        var next = (hole + 1) & mask
        // Items that were displaced past the hole by probing move up, so that no search ends at the hole (Knuth,
        // TAOCP 3, 6.4, algorithm R).
        while self.table[next] >= 0 {
            let home = self.home(of: self.items[Int(self.table[next])].key)
            if (next - home) & mask >= (next - hole) & mask {
                self.table[hole] = self.table[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        self.table[hole] = -1
        self.head = self.ringIndex(1)
        self.count -= 1
    }

    /// Returns the index of a key in the table, or the free index for it.
    @inlinable
    func slot(of key: EventKey) -> Int {
        let mask = self.table.count - 1
        var slot = self.home(of: key)
        while self.table[slot] >= 0, self.items[Int(self.table[slot])].key != key { slot = (slot + 1) & mask }
        return slot
    }

    @inlinable
    func home(of key: EventKey) -> Int {
        Int(truncatingIfNeeded: key.low) & (self.table.count - 1)
    }

    private func ringIndex(_ offset: Int) -> Int {
        let index = self.head + offset
        return index < self.items.count ? index : index - self.items.count
    }

    private mutating func grow(_ filler: Item) {
        let capacity = Swift.min(self.limit, Swift.max(RecentKeys.firstCapacity, self.count * 2))
        var grown = (0..<self.count).map { self.items[self.ringIndex($0)] }
        grown += Array(repeating: filler, count: capacity - self.count)
        self.items = grown
        self.head = 0
        var slots = RecentKeys.firstCapacity
        while slots < capacity * 2 { slots *= 2 }
        self.table = Array(repeating: -1, count: slots)
        for index in 0..<self.count { self.table[self.slot(of: self.items[index].key)] = Int32(index) }
    }
}
