/// One shard's table of records: lines of seven slots, each one a cache line, in memory that threads share without a
/// lock.
///
/// Invariants, which hold for callers that exclude changes, or that detect that there were none (`ShardArray`):
/// - A record's home is the highest bits of its hash scaled to the number of lines. The record is there or in a later
///   line, ascending and wrapping around, and each line from its home to the one before counts it as passed. A lookup
///   therefore ends at a line that nothing has passed.
/// - A record stays in its slot until it is removed or the table grows.
/// - A key has at most one record: a live one or the trace of an eviction.
/// - Words after the last line are zero.
///
/// A value of this type has the table's location and its number of lines when it was requested.
struct SlotTable {
    /// Words in a line.
    static let lineWords = 1 + LineTags.slots

    /// The words of all lines that the table may ever have.
    let words: SharedWords
    /// The number of lines: 0 in a table that nothing was added to, at most as many as are committed.
    let lines: Int

    /// The number of slots.
    var capacity: Int { self.lines * LineTags.slots }

    /// The slot at an index that `find` returned.
    @inline(__always)
    func slot(at index: Int) -> Slot { Slot(word: self.words[index]) }

    /// The index of a key's record, or `nil` if there is none: of the first slot that has the hash and meets a
    /// condition.
    ///
    /// It terminates even if the table changes meanwhile, and `condition` sees only slots that some record had.
    @inline(__always)
    func find(_ hash: UInt64, where condition: (Slot) -> Bool) -> Int? {
        var line = self.home(hash)
        for _ in 0..<self.lines {
            let first = line &* SlotTable.lineWords
            let tags = LineTags(word: self.words[first])
            var matches = tags.matches(hash)
            while let number = matches.next() {
                let index = first &+ 1 &+ number
                let slot = self.slot(at: index)
                if slot.matches(hash), condition(slot) { return index }
            }
            if !tags.isPassed { return nil }
            line = self.next(line)
        }
        return nil
    }

    /// Calls `body` with every record's slot and its index, in no order.
    func forEach(_ body: (Slot, Int) -> Void) {
        for line in 0..<self.lines {
            let tags = LineTags(word: self.words[line * SlotTable.lineWords])
            for number in 0..<LineTags.slots where tags.tag(number) != 0 {
                let index = line * SlotTable.lineWords + 1 + number
                body(self.slot(at: index), index)
            }
        }
    }

    /// Calls `body` with every record whose home is the line of a hash prefix, and whose own prefix is at least that.
    ///
    /// A prefix is the highest 24 bits of a hash: it does not depend on the number of lines, so that a sequence of calls
    /// with ascending prefixes finds every record that is there all the time, even if the table grows meanwhile.
    ///
    /// - Parameter prefix: The prefix, below `prefixes`.
    /// - Returns: The first prefix that was not looked for, `prefixes` after the last line, and the number of lines that
    ///   were read.
    func scan(from prefix: UInt64, _ body: (Slot) -> Void) -> (next: UInt64, lines: Int) {
        guard self.lines > 0 else { return (SlotTable.prefixes, 0) }
        let home = self.home(prefix &<< 40)
        let total = UInt64(self.lines)
        // The first prefix whose home is a later line.
        let next = Swift.min(((UInt64(home) + 1) << 24 + total - 1) / total, SlotTable.prefixes)
        var line = home
        var count = 0
        repeat {
            let first = line * SlotTable.lineWords
            let tags = LineTags(word: self.words[first])
            for number in 0..<LineTags.slots where tags.tag(number) != 0 {
                let slot = self.slot(at: first + 1 + number)
                if (prefix..<next).contains(slot.word >> 40) { body(slot) }
            }
            count += 1
            guard tags.isPassed else { break }
            line = self.next(line)
        } while count < self.lines
        return (next, count)
    }

    /// The number of prefixes of hashes: see `scan`.
    static let prefixes: UInt64 = 1 << 24

    /// Starts to fetch the line of a key's record.
    @inline(__always)
    func fetchLine(_ hash: UInt64) {
        if self.lines > 0 { self.words.fetch(self.home(hash) &* SlotTable.lineWords) }
    }

    // MARK: Changes, for a writer inside `ShardArray.change`

    /// Replaces the record of a slot with another one of the same key.
    func replace(at index: Int, with slot: Slot) {
        self.words[index] = slot.word
    }

    /// Adds a record whose key has none; there must be an empty slot.
    func insert(_ slot: Slot, hash: UInt64) {
        var line = self.home(hash)
        for _ in 0..<self.lines {
            let first = line * SlotTable.lineWords
            var tags = LineTags(word: self.words[first])
            if let number = tags.firstEmpty {
                tags.set(number, hash)
                self.words[first + 1 + number] = slot.word
                self.words[first] = tags.word
                return
            }
            tags.addPassed()
            self.words[first] = tags.word
            line = self.next(line)
        }
        preconditionFailure("a table has an empty slot for every record that is added")
    }

    /// Removes the record of a slot.
    func remove(at index: Int) {
        let (line, word) = index.quotientAndRemainder(dividingBy: SlotTable.lineWords)
        var passed = self.home(self.slot(at: index).word)
        while passed != line {
            var tags = LineTags(word: self.words[passed * SlotTable.lineWords])
            tags.removePassed()
            self.words[passed * SlotTable.lineWords] = tags.word
            passed = self.next(passed)
        }
        var tags = LineTags(word: self.words[line * SlotTable.lineWords])
        tags.clear(word - 1)
        self.words[line * SlotTable.lineWords] = tags.word
        self.words[index] = 0
    }

    /// Spreads the records over more lines, which must be committed; `scratch` is memory to use meanwhile.
    func grow(to lines: Int, _ scratch: inout [GrownSlot]) {
        scratch.removeAll(keepingCapacity: true)
        self.forEach { slot, index in
            let (line, word) = index.quotientAndRemainder(dividingBy: SlotTable.lineWords)
            let tag = LineTags(word: self.words[line * SlotTable.lineWords]).tag(word - 1)
            scratch.append(GrownSlot(slot: slot, hash: slot.word & ~0xFF_FFFF_FFFF | tag << 32))
        }
        for index in 0..<self.lines * SlotTable.lineWords { self.words[index] = 0 }
        let grown = SlotTable(words: self.words, lines: lines)
        for entry in scratch { grown.insert(entry.slot, hash: entry.hash) }
    }

    /// A record that is moved to its new line.
    struct GrownSlot: Sendable {
        fileprivate let slot: Slot
        /// The part of the hash that the table uses.
        fileprivate let hash: UInt64
    }

    @inline(__always)
    private func home(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: ((hash &>> 40) &* UInt64(truncatingIfNeeded: self.lines)) &>> 24)
    }

    @inline(__always)
    private func next(_ line: Int) -> Int {
        line &+ 1 == self.lines ? 0 : line &+ 1
    }
}
