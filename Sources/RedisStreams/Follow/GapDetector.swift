package import StageKit

/// Detects whether entries were lost between a stream and its reader. Pure: facts and reads go in, gaps come out.
///
/// Two methods complement each other. **Facts** (`check`) immediately show the losses that are visible at one moment.
/// **Counting** (`read`, `readNothing`) gives certainty: if the number of entries read up to an id differs from the
/// number that the server has ever added up to it, some were removed unread, even if reads skipped them silently, as
/// XREAD does.
///
/// `X` is the cursor, `F` and `L` are the first and last entry, `G` is last-generated-id, `D` max-deleted-entry-id, `A`
/// entries-added, `n` the length, and `P` the number of entries added up to `X`. The first matching row applies:
///
/// | observation | meaning |
/// | --- | --- |
/// | no stream, and none known before | nothing lost: it does not exist yet |
/// | no stream known before, A unknown, G > L | `trimmed`: at least entry G was added and removed |
/// | no stream, but one known before | `deleted` |
/// | G below an earlier G | `wentBack` |
/// | D below an earlier D | `recreated` |
/// | A - n below an earlier A - n | `recreated`: fewer entries were removed than before, as in an older copy |
/// | A < P | `recreated`: the counts are those of another stream |
/// | G = X, A > P, no restart, read past the last facts | `trimmed` or `entriesDeleted`: reads skipped A - P entries |
/// | G = X, A > P | `recreated`: the counts are those of another stream |
/// | nothing after X, A > P | `trimmed`, or `entriesDeleted` if D > X: A - P entries were added and removed |
/// | nothing after X, A = P, G > X and above every earlier G | `recreated` |
/// | A or P unknown, G > L and above every earlier G | `trimmed`: at least entry G was added and removed |
/// | A or P unknown, L of the last facts > X and > L now | `trimmed`: at least that earlier L was removed unread |
/// | F > X, A - P < n | `recreated`: there are more entries after X than were added |
/// | F > X, A - P > n | `trimmed`: A - P - n entries are missing |
/// | F > X, A - P = n, and F is not the first entry that was known after X | `recreated` |
/// | F > X, A - P = n, server restarted | `recreated`, in doubt: the numbers may agree by chance |
/// | F > X, A - P = n | nothing lost: trimmed up to X at most |
/// | F > X, A or P unknown | `trimmed`, in doubt, unless reading began before F |
/// | F <= X < L, A = P | `recreated` |
/// | D above X and above every earlier D | `entriesDeleted` |
/// | F <= X, entry X existed and is missing, and D < X or unknown | `recreated`, or `wentBack` and written to since |
/// | otherwise | nothing lost |
/// | counting: up to an earlier G, fewer entries were read than added | `trimmed` |
/// | counting: up to an earlier G, more entries were read than added | `recreated` |
/// | counting: as many entries were read as added, but an earlier L was not among them | `recreated` |
/// | counting, A unknown: nothing up to an earlier L was read | `trimmed` |
///
/// Redis 6.2 reports neither A nor D. With it, a trim past the cursor is detected if the stream is queried while the
/// trim extends beyond X. A trim that reads skip between two queries is not detected, nor is a deletion inside the
/// stream.
///
/// Three cases cannot be detected with any version. One is a recreated stream with P entries up to X: by hand with
/// continuing ids, all of whose first P entries were trimmed again, or on a server whose clock was set back and forth.
/// The second is a stream whose entry at the id and count read last has other contents, for example after a failover
/// that lost writes to a server whose clock is behind the last id: it assigns the lost ids again. The third is a
/// failover that undoes the removal of an unread entry before X, if the new server removed at least as many other
/// entries before the first check.
package struct GapDetector: Equatable, Sendable {
    /// The result of querying the entry at the cursor.
    package enum Anchor: Sendable {
        /// The entry exists.
        case present
        /// The entry does not exist.
        case absent
        /// The entry was not queried.
        case notAsked
    }

    /// Facts of the stream that counting has not reached yet.
    package struct Sample: Equatable, Sendable {
        /// last-generated-id at that moment.
        package var generated: EntryID
        /// The last entry at that moment.
        package var last: EntryID?
        /// entries-added at that moment, or `nil` if not reported.
        package var added: UInt64?
    }

    /// The state at the cursor.
    package private(set) var bookmark: StreamBookmark
    /// The facts that counting proceeds towards.
    package private(set) var sample: Sample?
    /// The number of entries ever added, as of the last facts.
    private var added: UInt64?
    /// The last entry as of the last facts, read or not.
    private var last: EntryID?
    /// The last-generated-id as of the last facts in this run.
    private var looked: EntryID?

    /// Creates a detector that starts after an id; entries that are gone at this moment are not missed.
    init(behind cursor: EntryID, _ facts: StreamFacts?, server: String? = nil) {
        self.bookmark = StreamBookmark(
            cursor: cursor, entriesRead: nil, deleted: facts?.deleted, removed: facts?.removed,
            generated: facts?.generated ?? .zero, baseline: nil, isSeen: facts != nil,
            isAnchored: facts != nil && facts?.last == cursor, server: server)
        self.added = facts?.added
        self.last = facts?.last
        self.looked = facts?.generated
        guard let facts else {
            // A stream that is created later counts from zero.
            if cursor == .zero { self.bookmark.entriesRead = 0 }
            return
        }
        if let last = facts.last, last > cursor {
            if let first = facts.first, first > cursor {
                self.bookmark.entriesRead = facts.removed
                self.bookmark.baseline = first
            }
            self.sample = Sample(generated: facts.generated, last: facts.last, added: facts.added)
        } else if facts.generated >= cursor {
            self.bookmark.entriesRead = facts.added
        }
    }

    /// Creates a detector that continues from a bookmark.
    init(resuming bookmark: StreamBookmark) {
        self.bookmark = bookmark
    }

    /// The number of unread entries after the cursor, as of the last facts, or `nil` if unknown.
    var lag: UInt64? {
        guard let added = self.added, let entriesRead = self.bookmark.entriesRead else { return nil }
        return added > entriesRead ? added - entriesRead : 0
    }

    /// Discards an unfinished count, because its connection is lost.
    mutating func disconnected() {
        self.sample = nil
    }

    /// Accepts the server's current facts: entries after the cursor that are gone by now no longer count as missed.
    mutating func accept(_ facts: StreamFacts?, server: String?) {
        self = GapDetector(behind: self.bookmark.cursor, facts, server: server)
        // Without facts nothing is known, not even that no entry was ever added: the next facts are accepted.
        if facts == nil { self.bookmark.entriesRead = nil }
    }

    // MARK: Counting

    /// Counts entries read after the cursor; `countUpTo` returns the number of them up to an id.
    mutating func read(
        first: EntryID, last: EntryID, count: Int, countUpTo: (EntryID) -> Int
    ) -> Gap? {
        if let baseline = self.bookmark.baseline {
            // Entries removed between the query and the first read do not count as missed either.
            if first != baseline { (self.bookmark.entriesRead, self.sample) = (nil, nil) }
            self.bookmark.baseline = nil
        }
        let before = self.bookmark.cursor
        defer {
            self.bookmark.cursor = last
            self.bookmark.generated = max(self.bookmark.generated, last)
            self.bookmark.isAnchored = true
            self.bookmark.isSeen = true
        }
        guard let sample, last >= sample.generated else {
            self.bookmark.entriesRead = self.bookmark.entriesRead.map { $0 + UInt64(count) }
            return nil
        }
        let within = last == sample.generated ? count : countUpTo(sample.generated)
        let counted = self.bookmark.entriesRead.map { $0 + UInt64(within) }
        self.bookmark.entriesRead = sample.added.map { $0 + UInt64(count - within) }
        self.sample = nil
        // If none of these existed when the facts were queried, all that existed then had been read before.
        return self.difference(counted, sample) ?? (within == 0 ? self.unread(counted, sample, behind: before) : nil)
    }

    /// Handles a read that was sent after the last facts were queried and found nothing after the cursor.
    mutating func readNothing() -> Gap? {
        guard let sample else { return nil }
        let counted = self.bookmark.entriesRead
        self.bookmark.entriesRead = sample.added
        self.sample = nil
        return self.difference(counted, sample) ?? self.unread(counted, sample, behind: self.bookmark.cursor)
    }

    /// Checks whether the last entry of earlier facts is missing. Redis 6.2 has no counts to show that, and if the
    /// entries of two streams add up, counts do not show it either.
    private func unread(_ counted: UInt64?, _ sample: Sample, behind cursor: EntryID) -> Gap? {
        guard let last = sample.last, last > cursor else { return nil }
        if sample.added == nil { return Gap(.trimmed, "entry \(last) was removed before it was read") }
        guard counted != nil else { return nil }
        return Gap(
            .recreated, "entry \(last) was removed before it was read, although the number of entries is correct")
    }

    private func difference(_ counted: UInt64?, _ sample: Sample) -> Gap? {
        guard let counted, let added = sample.added, counted != added else { return nil }
        let detail = "up to \(sample.generated), \(added) entries were added and \(counted) accounted for"
        return counted < added
            ? Gap(.trimmed, lost: added - counted, detail) : Gap(.recreated, detail)
    }

    // MARK: Facts

    /// Compares the server's current facts with the known state; returns `nil` if nothing is lost as of now.
    ///
    /// Query the facts on the connection that reads, and before the next read, so that counting can continue from them.
    mutating func check(_ facts: StreamFacts?, anchor: Anchor = .notAsked, server: String? = nil) -> Gap? {
        guard let facts else {
            if self.bookmark.isSeen { return Gap(.deleted, "the stream was deleted") }
            // A restart before the stream exists loses nothing of it, and must not cast doubt on it later.
            self.bookmark.server = server ?? self.bookmark.server
            return nil
        }
        if !self.bookmark.isSeen, self.bookmark.entriesRead == nil || facts.added == nil {
            if self.bookmark.entriesRead == 0, facts.generated > facts.last ?? .zero {
                return Gap(
                    .trimmed, "the stream did not exist, and entry \(facts.generated) was added and removed since")
            }
            self = GapDetector(behind: self.bookmark.cursor, facts, server: server ?? self.bookmark.server)
            return nil
        }
        let isRestarted = server != nil && self.bookmark.server != nil && server != self.bookmark.server
        if let gap = self.find(facts, anchor, isRestarted: isRestarted) { return gap }
        self.added = facts.added
        self.last = facts.last
        self.looked = facts.generated
        // Finish a count in progress first, or a reader that lags would never finish one. If the stream ends before the
        // cursor, which is possible with a cursor that the user chose, there is nothing to count.
        if self.sample == nil, facts.generated >= self.bookmark.cursor {
            self.sample = Sample(generated: facts.generated, last: facts.last, added: facts.added)
        }
        self.bookmark.generated = max(self.bookmark.generated, facts.generated)
        self.bookmark.deleted = facts.deleted
        self.bookmark.removed = facts.removed
        // Nothing was ever removed, so the count is exact from here on: entries removed before the first read count as
        // missed.
        if self.bookmark.entriesRead == 0, facts.added != nil { self.bookmark.baseline = nil }
        self.bookmark.isSeen = true
        self.bookmark.server = server ?? self.bookmark.server
        return nil
    }

    private func find(_ facts: StreamFacts, _ anchor: Anchor, isRestarted: Bool) -> Gap? {
        let bookmark = self.bookmark
        if facts.generated < bookmark.generated {
            return Gap(.wentBack, "the last id is \(facts.generated), earlier it was \(bookmark.generated)")
        }
        if let known = bookmark.deleted, let deleted = facts.deleted, deleted < known {
            return Gap(.recreated, "the last deleted id is \(deleted), earlier it was \(known)")
        }
        if let known = bookmark.removed, let removed = facts.removed, removed < known {
            return Gap(.recreated, "\(removed) entries were removed from the stream, earlier it was \(known)")
        }
        if let gap = self.findByCount(facts, isRestarted: isRestarted) { return gap }
        if let deleted = facts.deleted, deleted > bookmark.cursor, deleted > bookmark.deleted ?? .zero {
            return Gap(.entriesDeleted, "entry \(deleted) after the cursor \(bookmark.cursor) was deleted")
        }
        let reachesCursor = facts.first.map { $0 <= bookmark.cursor } ?? false
        let wasDeleted = facts.deleted.map { $0 >= bookmark.cursor } ?? false
        if anchor == .absent, bookmark.isAnchored, reachesCursor, !wasDeleted {
            return Gap(.recreated, "entry \(bookmark.cursor), which was read, is not in the stream but was not deleted")
        }
        return nil
    }

    /// Applies the rows of the table that compare counts, or that apply without counts.
    private func findByCount(_ facts: StreamFacts, isRestarted: Bool) -> Gap? {
        let cursor = self.bookmark.cursor
        let unread = facts.last.map { $0 > cursor } ?? false
        let isTrimmedToCursor = facts.first.map { $0 > cursor } ?? false
        guard let entriesRead = self.bookmark.entriesRead, let added = facts.added else {
            let isNew = facts.generated > self.bookmark.generated && facts.generated > facts.last ?? .zero
            let wasUnread = self.last.map { $0 > cursor && $0 > facts.last ?? .zero } ?? false
            if facts.generated > cursor, isNew || wasUnread {
                return Gap(.trimmed, "entry \(facts.generated) after the cursor \(cursor) was added and removed")
            }
            if isTrimmedToCursor, facts.first != self.bookmark.baseline {
                return Gap(.trimmed, "the first entry is \(Self.text(facts.first)), after the cursor \(cursor)")
            }
            return nil
        }
        let numbers =
            "\(added) entries were added, \(entriesRead) of them up to the cursor \(cursor), and \(facts.length) exist"
        if added < entriesRead { return Gap(.recreated, numbers) }
        if facts.generated == cursor, added > entriesRead {
            // XREAD silently skips entries that were trimmed between two reads; nothing was missing up to the last
            // facts.
            guard let looked = self.looked, looked < cursor, !isRestarted else { return Gap(.recreated, numbers) }
            let wasDeleted = facts.deleted.map { $0 > looked && $0 > self.bookmark.deleted ?? .zero } ?? false
            return Gap(
                wasDeleted ? .entriesDeleted : .trimmed, lost: added - entriesRead,
                "reads skipped entries between \(looked) and \(cursor): \(numbers)")
        }
        let behind = added - entriesRead
        if !unread {
            let wasDeleted = facts.deleted.map { $0 > cursor && $0 > self.bookmark.deleted ?? .zero } ?? false
            if behind > 0 { return Gap(wasDeleted ? .entriesDeleted : .trimmed, lost: behind, numbers) }
            return facts.generated > max(cursor, self.bookmark.generated) ? Gap(.recreated, numbers) : nil
        }
        if isTrimmedToCursor {
            if behind < facts.length { return Gap(.recreated, numbers) }
            if behind > facts.length { return Gap(.trimmed, lost: behind - facts.length, numbers) }
            if let baseline = self.bookmark.baseline, facts.first != baseline {
                return Gap(.recreated, "entry \(baseline) is missing although none was removed: \(numbers)")
            }
            return isRestarted ? Gap(.recreated, "the server was restarted: \(numbers)") : nil
        }
        return behind == 0 ? Gap(.recreated, numbers) : nil
    }

    private static func text(_ id: EntryID?) -> String { id?.description ?? "none" }
}
