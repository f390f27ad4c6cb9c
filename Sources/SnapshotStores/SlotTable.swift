/// One shard's table of records: open addressing with Robin Hood order.
///
/// Invariants:
/// - A record's home is its hash scaled to the capacity; it sits there or, going up and round the end, in the first slot
///   behind records that are at least as far from their homes. So homes never descend along a run of full slots, a
///   look-up ends where it meets a record nearer to its home than the key would be, and probes stay short.
/// - At least a fifth of the slots is empty, so every run ends.
/// - A key has one record at most, a live one or the trace of an eviction.
///
/// The owner of the table says when it may be read and changed: `ShardArray`.
struct SlotTable {
    /// The first table of a shard: a cache line of slots.
    private static let firstCapacity = 4

    private var slots: SlotMemory?
    private var used = 0

    /// The number of slots to walk over with `slot(at:)`.
    var capacity: Int { self.slots?.capacity ?? 0 }

    /// The slot at an index below `capacity`.
    @inline(__always)
    func slot(at index: Int) -> Slot { self.slots?[index] ?? .empty }

    /// Where a key's record is, nil where there is none.
    @inline(__always)
    func find(_ hash: UInt64, _ key: Span<UInt8>) -> Int? {
        self.find(hash) { $0.hasKey(key) }
    }

    /// Where the first record is that has the hash and meets a condition.
    @inline(__always)
    func find(_ hash: UInt64, where condition: (PackedRecord) -> Bool) -> Int? {
        guard let slots = self.slots else { return nil }
        var index = SlotTable.home(hash, slots.capacity)
        var distance = 0
        while true {
            let slot = slots[index]
            guard let record = slot.record else { return nil }
            if slot.matches(hash) {
                record.fetch(units: slot.units)
                if condition(record) { return index }
            } else if distance > SlotTable.distance(of: slot, at: index, slots.capacity) {
                return nil
            }
            index = SlotTable.next(index, slots.capacity)
            distance &+= 1
        }
    }

    /// Puts another record of the same key into its slot and returns the old one, for the caller to free.
    mutating func replace(at index: Int, with slot: Slot) -> PackedRecord? {
        let old = self.slot(at: index).record
        self.slots?[index] = slot
        return old
    }

    /// Adds a record whose key has none, growing first where the table is four fifths full.
    mutating func insert(_ slot: Slot) {
        if (self.used + 1) * 5 > self.capacity * 4 { self.grow() }
        guard let slots = self.slots else { return }
        SlotTable.insert(slot, into: slots)
        self.used += 1
    }

    /// Takes a slot's record out and returns it, for the caller to free; those behind it move one slot nearer to home.
    mutating func remove(at index: Int) -> PackedRecord? {
        guard let slots = self.slots else { return nil }
        let removed = slots[index].record
        var hole = index
        while true {
            let following = SlotTable.next(hole, slots.capacity)
            let slot = slots[following]
            if slot.record == nil || SlotTable.distance(of: slot, at: following, slots.capacity) == 0 { break }
            slots[hole] = slot
            hole = following
        }
        slots[hole] = .empty
        self.used -= 1
        return removed
    }

    /// Frees all records and the slots.
    mutating func removeAll() {
        guard let slots = self.slots else { return }
        for index in 0..<slots.capacity { slots[index].record?.free() }
        slots.free()
        self.slots = nil
        self.used = 0
    }

    /// Starts to fetch the slot where a key's record would be.
    @inline(__always)
    func fetchSlot(_ hash: UInt64) {
        if let slots = self.slots { slots.fetch(SlotTable.home(hash, slots.capacity)) }
    }

    /// Starts to fetch the record that has the hash.
    @inline(__always)
    func fetchRecord(_ hash: UInt64) {
        _ = self.find(hash, where: { _ in true })
    }

    /// Grows by half: between 20 and 30 bytes of slots a record, where doubling would need up to 40.
    private mutating func grow() {
        let larger = SlotMemory(capacity: Swift.max(SlotTable.firstCapacity, (self.capacity * 3 / 2 + 3) & ~3))
        if let slots = self.slots {
            for index in 0..<slots.capacity where slots[index].record != nil {
                SlotTable.insert(slots[index], into: larger)
            }
            slots.free()
        }
        self.slots = larger
    }

    private static func insert(_ slot: Slot, into slots: SlotMemory) {
        var carried = slot
        var index = self.home(carried.tag, slots.capacity)
        var distance = 0
        while true {
            let present = slots[index]
            guard present.record != nil else { break }
            let presentDistance = self.distance(of: present, at: index, slots.capacity)
            if distance > presentDistance {
                slots[index] = carried
                carried = present
                distance = presentDistance
            }
            index = self.next(index, slots.capacity)
            distance &+= 1
        }
        slots[index] = carried
    }

    @inline(__always)
    private static func home(_ hash: UInt64, _ capacity: Int) -> Int {
        Int(truncatingIfNeeded: (hash & ~0xFFFF).multipliedFullWidth(by: UInt64(capacity)).high)
    }

    @inline(__always)
    private static func distance(of slot: Slot, at index: Int, _ capacity: Int) -> Int {
        let distance = index &- self.home(slot.tag, capacity)
        return distance < 0 ? distance &+ capacity : distance
    }

    @inline(__always)
    private static func next(_ index: Int, _ capacity: Int) -> Int {
        index &+ 1 == capacity ? 0 : index &+ 1
    }
}
