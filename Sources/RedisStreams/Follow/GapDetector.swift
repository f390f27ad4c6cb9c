package import StageKit

/// Tells whether entries were lost between a reader and its stream. Pure: facts and reads go in, gaps come out.
///
/// Two things are held against each other. **Facts** (`check`) tell at once what can be seen at one moment. **Counting**
/// (`read`, `readNothing`) makes it certain: the entries read up to an id are as many as the server has ever added up to
/// it, or some were taken away unread, also where the reading passed over them without a word, as XREAD does.
///
/// `X` is the cursor, `F` and `L` first and last entry, `G` last-generated-id, `D` max-deleted-entry-id, `A`
/// entries-added, `n` length, `P` how many entries were added up to `X`. The first row that fits counts:
///
/// | what is found | what it means |
/// | --- | --- |
/// | no stream, none was there before | nothing lost: it is not there yet |
/// | no stream was there before, A not known, G > L | `trimmed`: at least entry G came and went |
/// | no stream, one was there before | `deleted` |
/// | G below a G known before | `wentBack` |
/// | D below a D known before | `recreated` |
/// | A < P | `recreated`: the counts are those of another stream |
/// | G = X, A > P, no restart, read beyond the last look | `trimmed`, or `entriesDeleted`: reads passed over A - P entries |
/// | G = X, A > P | `recreated`: the counts are those of another stream |
/// | nothing behind X, A > P | `trimmed`, or `entriesDeleted` where D > X: A - P entries came and went |
/// | nothing behind X, A = P, G > X and above all known before | `recreated` |
/// | A or P not known, G > L and above all known before | `trimmed`: at least entry G came and went |
/// | A or P not known, the last look's L > X and > L now | `trimmed`: at least entry L went unread |
/// | F > X, A - P < n | `recreated`: there is more behind X than was added |
/// | F > X, A - P > n | `trimmed`: A - P - n are missing |
/// | F > X, A - P = n, server restarted | `recreated`: the numbers may agree by chance, so in doubt |
/// | F > X, A - P = n | nothing lost: trimmed up to X at most |
/// | F > X, A or P not known | `trimmed`, in doubt, unless reading began before F |
/// | F <= X < L, A = P | `recreated` |
/// | D above X and above every D known before | `entriesDeleted` |
/// | F <= X, and the entry X was there, is not, and D < X or is not known | `recreated`, or `wentBack` and written on |
/// | else | nothing lost |
/// | counting: up to a G of before, fewer were read than added | `trimmed` |
/// | counting: up to a G of before, more were read than added | `recreated` |
/// | counting: as many were read as added, and an L of before was not among them | `recreated` |
/// | counting, A not known: nothing up to an L of before was read | `trimmed` |
///
/// Redis 6.2 tells neither A nor D. There a trim past the cursor is found when the stream is looked at while it reaches
/// beyond X, but not one that was passed over between two looks, nor a deletion inside the stream.
/// What no version can tell: a stream recreated by hand with ids going on, all of whose first P entries were trimmed again;
/// and one whose entry of the very id and place that was read last holds something else, as after a failover that lost
/// writes to a server whose clock is behind the last id, which gives the lost ids again.
package struct GapDetector: Equatable, Sendable {
    /// Whether the entry at the cursor was found when asked for.
    package enum Anchor: Sendable {
        /// It is there.
        case present
        /// It is not there.
        case absent
        /// Nobody asked.
        case notAsked
    }

    /// A look at the stream that counting has not reached yet.
    package struct Sample: Equatable, Sendable {
        /// last-generated-id at that moment.
        package var generated: EntryID
        /// The last entry at that moment.
        package var last: EntryID?
        /// entries-added at that moment; nil where not told.
        package var added: UInt64?
    }

    /// What is known at the cursor.
    package private(set) var mark: StreamMark
    /// The look that counting goes towards.
    package private(set) var sample: Sample?
    /// How many entries were ever added as of the last look.
    private var added: UInt64?
    /// The last entry as of the last look, read or not.
    private var last: EntryID?
    /// The last-generated-id as of the last look in this run.
    private var looked: EntryID?

    /// Starts reading behind an id with nothing missed yet: what is gone at this moment is not missed.
    init(behind cursor: EntryID, _ facts: StreamFacts?, server: String? = nil) {
        self.mark = StreamMark(
            cursor: cursor, position: nil, deleted: facts?.deleted, generated: facts?.generated ?? .zero,
            baseline: nil, isSeen: facts != nil, isAnchored: facts != nil && facts?.last == cursor, server: server)
        self.added = facts?.added
        self.last = facts?.last
        self.looked = facts?.generated
        guard let facts else {
            // A stream that comes to be counts from nothing.
            if cursor == .zero { self.mark.position = 0 }
            return
        }
        if let last = facts.last, last > cursor {
            if let first = facts.first, first > cursor {
                self.mark.position = facts.added.flatMap { $0 >= facts.length ? $0 - facts.length : nil }
                self.mark.baseline = first
            }
            self.sample = Sample(generated: facts.generated, last: facts.last, added: facts.added)
        } else if facts.generated >= cursor {
            self.mark.position = facts.added
        }
    }

    /// Goes on with what was known before.
    init(resuming mark: StreamMark) {
        self.mark = mark
    }

    /// How many entries are waiting behind the cursor, as of the last look; nil where not known.
    var lag: UInt64? {
        guard let added = self.added, let position = self.mark.position else { return nil }
        return added > position ? added - position : 0
    }

    /// Forgets an unfinished count: its connection is gone.
    mutating func disconnected() {
        self.sample = nil
    }

    /// Takes what a server tells now for granted: nothing behind the cursor that is gone by now is missed any more.
    mutating func accept(_ facts: StreamFacts?, server: String?) {
        self = GapDetector(behind: self.mark.cursor, facts, server: server)
        // Without facts nothing is known, not even that nothing was ever added: the next look is taken as it is.
        if facts == nil { self.mark.position = nil }
    }

    // MARK: Counting

    /// Takes account of entries read behind the cursor; `countUpTo` tells how many of them are not above an id.
    mutating func read(
        first: EntryID, last: EntryID, count: Int, countUpTo: (EntryID) -> Int
    ) -> Gap? {
        if let baseline = self.mark.baseline {
            // What went between the look and the first read was not there to be missed either.
            if first != baseline { (self.mark.position, self.sample) = (nil, nil) }
            self.mark.baseline = nil
        }
        let before = self.mark.cursor
        defer {
            self.mark.cursor = last
            self.mark.generated = max(self.mark.generated, last)
            self.mark.isAnchored = true
            self.mark.isSeen = true
        }
        guard let sample, last >= sample.generated else {
            self.mark.position = self.mark.position.map { $0 + UInt64(count) }
            return nil
        }
        let within = last == sample.generated ? count : countUpTo(sample.generated)
        let counted = self.mark.position.map { $0 + UInt64(within) }
        self.mark.position = sample.added.map { $0 + UInt64(count - within) }
        self.sample = nil
        // Where none of these was there at the look, all that was had been read before.
        return self.difference(counted, sample) ?? (within == 0 ? self.unread(counted, sample, behind: before) : nil)
    }

    /// Takes account of a read, sent after the last look, that found nothing behind the cursor.
    mutating func readNothing() -> Gap? {
        guard let sample else { return nil }
        let counted = self.mark.position
        self.mark.position = sample.added
        self.sample = nil
        return self.difference(counted, sample) ?? self.unread(counted, sample, behind: self.mark.cursor)
    }

    /// Whether the last entry of a look is missing: on 6.2 there are no numbers to tell it, and where the entries of two
    /// streams add up none does.
    private func unread(_ counted: UInt64?, _ sample: Sample, behind cursor: EntryID) -> Gap? {
        guard let last = sample.last, last > cursor else { return nil }
        if sample.added == nil { return Gap(.trimmed, "entry \(last) was there and is gone unread") }
        guard counted != nil else { return nil }
        return Gap(.recreated, "entry \(last) was there and is gone unread, though no entry is missing by their number")
    }

    private func difference(_ counted: UInt64?, _ sample: Sample) -> Gap? {
        guard let counted, let added = sample.added, counted != added else { return nil }
        let detail = "up to \(sample.generated), \(added) were added and \(counted) accounted for"
        return counted < added
            ? Gap(.trimmed, lost: added - counted, detail) : Gap(.recreated, detail)
    }

    // MARK: Facts

    /// Holds what a server tells now against what is known; nil where nothing was lost as of now.
    ///
    /// To be asked on the connection that reads, and before the read that follows, so that the count can go on from here.
    mutating func check(_ facts: StreamFacts?, anchor: Anchor = .notAsked, server: String? = nil) -> Gap? {
        guard let facts else {
            return self.mark.isSeen ? Gap(.deleted, "the stream is gone") : nil
        }
        if !self.mark.isSeen, self.mark.position == nil || facts.added == nil {
            if self.mark.position == 0, facts.generated > facts.last ?? .zero {
                return Gap(.trimmed, "there was no stream, and entry \(facts.generated) came and went")
            }
            self = GapDetector(behind: self.mark.cursor, facts, server: server)
            return nil
        }
        let isRestarted = server != nil && self.mark.server != nil && server != self.mark.server
        if let gap = self.find(facts, anchor, isRestarted: isRestarted) { return gap }
        self.added = facts.added
        self.last = facts.last
        self.looked = facts.generated
        // A count that is under way is finished first, or a reader that lags would never finish one. Below the cursor,
        // where a cursor of the user's choice may lie, there is nothing to count.
        if self.sample == nil, facts.generated >= self.mark.cursor {
            self.sample = Sample(generated: facts.generated, last: facts.last, added: facts.added)
        }
        self.mark.generated = max(self.mark.generated, facts.generated)
        self.mark.deleted = facts.deleted
        self.mark.isSeen = true
        self.mark.server = server ?? self.mark.server
        return nil
    }

    private func find(_ facts: StreamFacts, _ anchor: Anchor, isRestarted: Bool) -> Gap? {
        let mark = self.mark
        if facts.generated < mark.generated {
            return Gap(.wentBack, "the last id is \(facts.generated), and was \(mark.generated)")
        }
        if let known = mark.deleted, let deleted = facts.deleted, deleted < known {
            return Gap(.recreated, "the last deleted id is \(deleted), and was \(known)")
        }
        if let gap = self.findByCount(facts, isRestarted: isRestarted) { return gap }
        if let deleted = facts.deleted, deleted > mark.cursor, deleted > mark.deleted ?? .zero {
            return Gap(.entriesDeleted, "entry \(deleted) was deleted behind the cursor \(mark.cursor)")
        }
        let reachesCursor = facts.first.map { $0 <= mark.cursor } ?? false
        let wasDeleted = facts.deleted.map { $0 >= mark.cursor } ?? false
        if anchor == .absent, mark.isAnchored, reachesCursor, !wasDeleted {
            return Gap(.recreated, "the entry \(mark.cursor) that was read is not in the stream, and was not deleted")
        }
        return nil
    }

    /// The rows of the table that compare the numbers of entries, or do without them.
    private func findByCount(_ facts: StreamFacts, isRestarted: Bool) -> Gap? {
        let cursor = self.mark.cursor
        let unread = facts.last.map { $0 > cursor } ?? false
        let isTrimmedToCursor = facts.first.map { $0 > cursor } ?? false
        guard let position = self.mark.position, let added = facts.added else {
            let isNew = facts.generated > self.mark.generated && facts.generated > facts.last ?? .zero
            let wasUnread = self.last.map { $0 > cursor && $0 > facts.last ?? .zero } ?? false
            if facts.generated > cursor, isNew || wasUnread {
                return Gap(.trimmed, "entry \(facts.generated) came and went behind the cursor \(cursor)")
            }
            if isTrimmedToCursor, facts.first != self.mark.baseline {
                return Gap(.trimmed, "the first entry is \(Self.text(facts.first)), behind the cursor \(cursor)")
            }
            return nil
        }
        let numbers = "\(added) were added, \(position) up to the cursor \(cursor), and \(facts.length) are there"
        if added < position { return Gap(.recreated, numbers) }
        if facts.generated == cursor, added > position {
            // XREAD passes over entries that were trimmed between two reads without a word; before the last look nothing
            // was missing.
            guard let looked = self.looked, looked < cursor, !isRestarted else { return Gap(.recreated, numbers) }
            let wasDeleted = facts.deleted.map { $0 > looked && $0 > self.mark.deleted ?? .zero } ?? false
            return Gap(
                wasDeleted ? .entriesDeleted : .trimmed, lost: added - position,
                "reads passed over entries between \(looked) and \(cursor): \(numbers)")
        }
        let behind = added - position
        if !unread {
            let wasDeleted = facts.deleted.map { $0 > cursor && $0 > self.mark.deleted ?? .zero } ?? false
            if behind > 0 { return Gap(wasDeleted ? .entriesDeleted : .trimmed, lost: behind, numbers) }
            return facts.generated > max(cursor, self.mark.generated) ? Gap(.recreated, numbers) : nil
        }
        if isTrimmedToCursor {
            if behind < facts.length { return Gap(.recreated, numbers) }
            if behind > facts.length { return Gap(.trimmed, lost: behind - facts.length, numbers) }
            return isRestarted ? Gap(.recreated, "the server has restarted, and \(numbers)") : nil
        }
        return behind == 0 ? Gap(.recreated, numbers) : nil
    }

    private static func text(_ id: EntryID?) -> String { id?.description ?? "none" }
}
