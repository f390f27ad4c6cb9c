import Synchronization

/// Where a record is.
struct RecordPlace: Equatable, Sendable {
    /// The number of its first unit, never 0.
    let unit: UInt32
    /// How much memory it has.
    let sizeClass: SizeClass
}

/// The memory of a store's records: places are handed out from the start on, and given back to those of their class.
///
/// Invariant: a place that was ever handed out lies in committed memory. So whoever has a slot's word, however old it is,
/// may load from where it says; whether that is still the key's record is told by the shard's version (`ShardArray`).
struct RecordMemory: ~Copyable {
    /// Units have numbers of 32 bits, which comes to 64 GiB: more than half a billion sessions.
    static let maximumBytes = 1 << 36
    /// The memory is committed in pieces of so many bytes: few calls, and what is committed takes no memory before it is
    /// used. No large pages are asked for: a new one is cleared at once, which throws a writer's data out of its caches.
    /// Filling a store was a third slower with them and updates an eighth, look-ups a tenth faster.
    private static let step = 2 << 20
    /// The first unit is nobody's, so that no record's slot is 0.
    private static let firstUnit = 1
    /// Words in a cache line.
    private static let lineWords = 8
    /// Words of a long record that are fetched ahead: more would push out what is on its way for others.
    private static let fetchedWords = 4 * lineWords

    private let memory: ReservedMemory
    private let words: SharedWords
    private let committed = Atomic<Int>(0)

    /// Reserves up to `maximumBytes`; nothing is used yet.
    init(bytes: Int = maximumBytes) {
        self.memory = ReservedMemory(size: bytes, step: Self.step)
        self.words = self.memory.words
    }

    /// Bytes that it may come to.
    var limit: Int { self.memory.size }

    /// The record at a place.
    @inline(__always)
    func record(_ place: RecordPlace) -> PackedRecord {
        unsafe PackedRecord(self.words(of: place).unsafeBytes)
    }

    /// The words of a place.
    @inline(__always)
    func words(of place: RecordPlace) -> SharedWords {
        let perUnit = SizeClass.unit / SharedWords.stride
        return self.words.extracting(Int(place.unit) &* perUnit, place.sizeClass.units &* perUnit)
    }

    /// Whether a slot's word speaks of memory that can be touched; that of an empty slot, found where a tag is seen before
    /// its slot, speaks of none.
    @inline(__always)
    func isCommitted(_ place: RecordPlace) -> Bool {
        place.unit != 0
            && (Int(place.unit) &+ place.sizeClass.units) &* SizeClass.unit <= self.committed.load(ordering: .relaxed)
    }

    /// A word in each of the first two cache lines of a record, by their numbers in the memory.
    struct Lines: BitwiseCopyable {
        /// The record's first word.
        let first: Int
        /// One a line further, or the record's last.
        let second: Int
    }

    /// The first two cache lines of a record; what is asked for most lies there.
    @inline(__always)
    func lines(of place: RecordPlace) -> Lines {
        let perUnit = SizeClass.unit / SharedWords.stride
        let first = Int(place.unit) &* perUnit
        return Lines(first: first, second: first &+ Swift.min(8, place.sizeClass.units &* perUnit &- 1))
    }

    /// Starts to fetch two lines, both at once.
    @inline(__always)
    func fetch(_ lines: Lines) {
        self.words.fetch(lines.first)
        self.words.fetch(lines.second)
    }

    /// Has the lines of a record fetched, in any order; a slot's word may be as old as it likes, or that of an empty slot.
    @inline(__always)
    func fetch(_ place: RecordPlace) {
        let perUnit = SizeClass.unit / SharedWords.stride
        let first = Int(place.unit) &* perUnit
        let count = Swift.min(place.sizeClass.units &* perUnit, Self.fetchedWords)
        guard count > 0 else { return }
        var word = 0
        while word < count &- 1 {
            self.words.fetch(first &+ word)
            word &+= Self.lineWords
        }
        self.words.fetch(first &+ count &- 1)
    }

    /// What is handed out; kept by whoever may change the store.
    struct Places: Sendable {
        /// The first free place of each class by number, 0 where there is none; the first word of a free place is the
        /// number of the next.
        fileprivate var free = InlineArray<137, UInt32>(repeating: 0)
        /// The first unit that was never handed out.
        fileprivate var end = RecordMemory.firstUnit
        /// Units of records.
        fileprivate var used = 0

        /// Bytes of records.
        var usedBytes: Int { self.used * SizeClass.unit }
    }

    /// A place of a class, not written; nil where there is no more memory.
    @inline(__always)
    func take(_ sizeClass: SizeClass, from places: inout Places) -> RecordPlace? {
        let number = Int(sizeClass.number)
        let unit = places.free[number]
        guard unit != 0 else { return self.takeNew(sizeClass, from: &places) }
        let place = RecordPlace(unit: unit, sizeClass: sizeClass)
        places.free[number] = UInt32(truncatingIfNeeded: self.words(of: place)[0])
        places.used &+= sizeClass.units
        return place
    }

    /// Gives a place back; no slot may have it any more.
    @inline(__always)
    func giveBack(_ place: RecordPlace, to places: inout Places) {
        let number = Int(place.sizeClass.number)
        self.words(of: place)[0] = UInt64(places.free[number])
        places.free[number] = place.unit
        places.used &-= place.sizeClass.units
    }

    /// Takes all places back and gives their memory to the system; no slot may have one any more.
    func removeAll(_ places: inout Places) {
        places = Places()
        self.memory.discard(0..<self.committed.load(ordering: .relaxed))
    }

    @inline(never)
    private func takeNew(_ sizeClass: SizeClass, from places: inout Places) -> RecordPlace? {
        let place = RecordPlace(unit: UInt32(truncatingIfNeeded: places.end), sizeClass: sizeClass)
        let end = places.end + sizeClass.units
        let committed = self.committed.load(ordering: .relaxed)
        if end * SizeClass.unit > committed {
            guard committed + Self.step <= self.memory.size,
                self.memory.commit(committed..<committed + Self.step)
            else { return nil }
            self.committed.store(committed + Self.step, ordering: .relaxed)
        }
        places.end = end
        places.used += sizeClass.units
        return place
    }
}
