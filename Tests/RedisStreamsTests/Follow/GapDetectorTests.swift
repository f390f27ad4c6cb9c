import RESP
import StageKit
import Testing

@testable import RedisStreams

/// An id of milliseconds alone.
func id(_ milliseconds: UInt64) -> EntryID { EntryID(milliseconds: milliseconds, sequence: 0) }

/// A stream with entries of these ids, the rest as given.
func facts(
    _ entries: ClosedRange<UInt64>?, generated: UInt64? = nil, deleted: UInt64? = 0, added: UInt64?
) -> StreamFacts {
    StreamFacts(
        length: entries.map { $0.upperBound - $0.lowerBound + 1 } ?? 0, first: entries.map { id($0.lowerBound) },
        last: entries.map { id($0.upperBound) }, generated: id(generated ?? entries?.upperBound ?? 0),
        deleted: deleted.map { id($0) }, added: added)
}

@Suite struct GapDetectorTests {
    /// A row of the detector's table: what is found by a reader that has read the entries 1 to 100 of 100.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var known = StreamBookmark(
            cursor: id(100), entriesRead: 100, deleted: id(0), generated: id(100), baseline: nil, isSeen: true,
            isAnchored: true, server: "a")
        var facts: StreamFacts?
        var anchor = GapDetector.Anchor.notAsked
        var server = "a"
        var kind: GapKind?
        var lost: UInt64?

        init(
            _ description: String, _ facts: StreamFacts?, anchor: GapDetector.Anchor = .notAsked, server: String = "a",
            _ kind: GapKind?, lost: UInt64? = nil, known change: (inout StreamBookmark) -> Void = { _ in }
        ) {
            self.testDescription = description
            self.facts = facts
            self.anchor = anchor
            self.server = server
            self.kind = kind
            self.lost = lost
            change(&self.known)
        }
    }

    private static func blind(_ bookmark: inout StreamBookmark) {
        (bookmark.entriesRead, bookmark.deleted) = (nil, nil)
    }

    /// There was no stream when reading began; then 7 to 9 were read and not finished.
    private static func inFlight(_ bookmark: inout StreamBookmark) {
        bookmark = GapDetector(behind: .zero, nil, server: "a").bookmark.expecting(id(7), id(9))
    }

    static let rows: [Row] = [
        Row("not there yet", nil, nil) { $0.isSeen = false },
        Row("gone", nil, .deleted),
        Row("unchanged", facts(1...100, added: 100), nil),
        Row("unchanged, entry at the cursor there", facts(1...100, added: 100), anchor: .present, nil),
        Row("entries came", facts(1...150, added: 150), anchor: .present, nil),
        Row("trimmed within what was read", facts(50...100, added: 100), nil),
        Row("trimmed up to the cursor, entries came", facts(101...150, added: 150), anchor: .absent, nil),
        Row("all trimmed, nothing came", facts(nil, generated: 100, added: 100), anchor: .absent, nil),
        Row("ends before what was read", facts(1...90, added: 90), anchor: .absent, .wentBack),
        Row("ends before what was known", facts(1...103, added: 103), anchor: .present, .wentBack) {
            $0.generated = id(105)
        },
        Row("the last deleted id went back", facts(1...110, deleted: 20, added: 110), .recreated) {
            $0.deleted = id(30)
        },
        Row("fewer added than read", facts(200...210, added: 11), anchor: .absent, .recreated),
        Row("more added up to the same last id", facts(nil, generated: 100, added: 120), .recreated),
        Row("added and removed, all of it", facts(nil, generated: 150, added: 150), .trimmed, lost: 50),
        Row(
            "added and removed, the last one read still exists", facts(1...100, generated: 103, added: 103), .trimmed,
            lost: 3),
        Row(
            "came and was deleted", facts(1...100, generated: 101, deleted: 101, added: 101), anchor: .present,
            .entriesDeleted, lost: 1),
        Row("more behind the cursor than were added", facts(200...260, added: 160), .recreated),
        Row("trimmed past the cursor", facts(121...150, added: 150), anchor: .absent, .trimmed, lost: 20),
        Row("trimmed to the cursor while the server restarted", facts(101...150, added: 150), server: "b", .recreated),
        Row("restarted with all it had", facts(1...150, added: 150), anchor: .present, server: "b", nil),
        Row("nothing added, and yet an entry behind the cursor", facts(90...110, added: 100), .recreated),
        Row("an unread entry deleted", facts(1...150, deleted: 120, added: 150), anchor: .present, .entriesDeleted),
        Row("an unread entry deleted, known before", facts(1...150, deleted: 120, added: 150), anchor: .present, nil) {
            $0.deleted = id(120)
        },
        Row("a read entry deleted", facts(1...150, deleted: 50, added: 150), anchor: .present, nil),
        Row("the entry at the cursor deleted", facts(1...150, deleted: 100, added: 150), anchor: .absent, nil),
        Row("the entry at the cursor never was", facts(1...150, added: 150), anchor: .absent, .recreated),
        Row("a cursor of the user's choice is no entry", facts(1...150, added: 150), anchor: .absent, nil) {
            $0.isAnchored = false
        },
        Row(
            "as many added as read, and yet an id behind the cursor", facts(nil, generated: 150, added: 100), .recreated
        ),
        Row("fewer removed than before", facts(50...150, added: 150), anchor: .present, .recreated) { $0.removed = 50 },
        Row("as many removed as before", facts(50...150, added: 150), anchor: .present, nil) { $0.removed = 49 },
        Row("the first unread entry still first", facts(101...150, added: 150), nil) { $0.baseline = id(101) },
        Row("another first entry, though the counts agree", facts(102...150, added: 149), .recreated) {
            $0.baseline = id(101)
        },
        Row("new, in flight at the checkpoint", facts(7...12, added: 6), nil, known: inFlight),
        Row("new, in flight at the checkpoint: gone", nil, .deleted, known: inFlight),
        Row("new, in flight at the checkpoint: lower ids", facts(1...3, added: 3), .wentBack, known: inFlight),
        Row("new, in flight at the checkpoint: higher ids", facts(20...25, added: 6), .recreated, known: inFlight),
        Row("new, in flight at the checkpoint: trimmed", facts(8...12, added: 6), .trimmed, lost: 1, known: inFlight),
        Row("6.2: new, in flight at the checkpoint", facts(7...12, deleted: nil, added: nil), nil, known: inFlight),
        Row(
            "6.2: new, in flight at the checkpoint: trimmed", facts(8...12, deleted: nil, added: nil), .trimmed,
            known: inFlight),
        // Redis 6.2 tells neither deletions nor how many were added.
        Row("6.2: unchanged", facts(1...100, deleted: nil, added: nil), anchor: .present, nil, known: blind),
        Row("6.2: entries came", facts(1...150, deleted: nil, added: nil), anchor: .present, nil, known: blind),
        Row("6.2: gone", nil, .deleted, known: blind),
        Row("6.2: went back", facts(1...90, deleted: nil, added: nil), .wentBack, known: blind),
        Row("6.2: all trimmed, nothing came", facts(nil, generated: 100, deleted: nil, added: nil), nil, known: blind),
        Row("6.2: added and removed", facts(nil, generated: 150, deleted: nil, added: nil), .trimmed, known: blind),
        Row(
            "6.2: the last of what came went", facts(1...149, generated: 150, deleted: nil, added: nil), .trimmed,
            known: blind),
        Row("6.2: trimmed to or past the cursor", facts(101...150, deleted: nil, added: nil), .trimmed, known: blind),
        Row(
            "6.2: the entry at the cursor never was", facts(1...150, deleted: nil, added: nil), anchor: .absent,
            .recreated, known: blind),
        Row("from 6.2 to 7.0: entries came", facts(1...150, added: 150), anchor: .present, nil, known: blind),
    ]

    @Test("Each row of the table is detected as described", arguments: rows)
    func table(row: Row) {
        var detector = GapDetector(resuming: row.known)
        let gap = detector.check(row.facts, anchor: row.anchor, server: row.server)
        #expect(gap?.kind == row.kind, "\(gap?.detail ?? "nothing")")
        #expect(gap?.lost == row.lost)
    }

    @Test("Entries that a read silently skipped are detected by the count")
    func passedOver() {
        var detector = GapDetector(behind: id(100), facts(1...100, added: 100))
        #expect(detector.check(facts(1...150, added: 150)) == nil)
        #expect(detector.read(first: id(101), last: id(120), count: 20, countUpTo: { _ in 0 }) == nil)
        // 121 to 130 were trimmed before the next read.
        let gap = detector.read(first: id(131), last: id(160), count: 30, countUpTo: { _ in 20 })
        #expect(gap?.kind == .trimmed && gap?.lost == 10)
    }

    @Test("A trim during reads is reported with its count, even if nothing is left to read")
    func passedOverWithNothingUnread() {
        for (deleted, kind) in [(UInt64(0), GapKind.trimmed), (125, .entriesDeleted)] {
            var detector = GapDetector(behind: id(100), facts(1...100, added: 100))
            #expect(detector.check(facts(1...100, added: 100)) == nil)
            #expect(detector.read(first: id(101), last: id(120), count: 20, countUpTo: { _ in 0 }) == nil)
            // 121 to 130 were removed before the next read, which reaches the end of the stream.
            #expect(detector.read(first: id(131), last: id(160), count: 30, countUpTo: { _ in 0 }) == nil)
            var restarted = detector
            let gap = detector.check(facts(131...160, deleted: deleted, added: 160))
            #expect(gap?.kind == kind && gap?.lost == 10, "\(gap?.detail ?? "nothing")")
            #expect(gap?.detail.contains("between 100-0 and 160-0") == true)
            // Counts that rise although nothing was read since the last look are those of another stream.
            #expect(restarted.check(facts(131...160, added: 150)) == nil)
            #expect(restarted.check(facts(131...160, added: 160))?.kind == .recreated)
        }
    }

    @Test("Entries removed before an empty read are detected")
    func goneBeforeReading() {
        for (added, lost) in [(UInt64?.some(150), UInt64?.some(50)), (nil, nil)] {
            var detector = GapDetector(behind: id(100), facts(1...100, deleted: nil, added: added.map { _ in 100 }))
            #expect(detector.check(facts(1...150, deleted: nil, added: added)) == nil)
            let gap = detector.readNothing()
            #expect(gap?.kind == .trimmed && gap?.lost == lost)
            #expect(detector.readNothing() == nil)
        }
    }

    @Test("On Redis 6.2, a last entry that was removed before it was read is detected, also across a lost connection")
    func lastGone() {
        for left in [
            facts(1...149, generated: 150, deleted: nil, added: nil),
            facts(1...100, generated: 150, deleted: nil, added: nil),
        ] {
            var detector = GapDetector(behind: id(100), facts(1...100, deleted: nil, added: nil))
            #expect(detector.check(facts(1...150, deleted: nil, added: nil)) == nil)
            detector.disconnected()
            #expect(detector.check(left)?.kind == .trimmed)
        }
    }

    @Test(
        "On Redis 6.2, an entry that a check has seen is missed if all entries read next are after it",
        arguments: [100, 120])
    func passedOver(_ read: UInt64) {
        var detector = GapDetector(behind: id(100), facts(1...100, deleted: nil, added: nil))
        #expect(detector.check(facts(1...150, deleted: nil, added: nil)) == nil)
        if read > 100 {
            #expect(detector.read(first: id(101), last: id(read), count: 20, countUpTo: { _ in 20 }) == nil)
        }
        #expect(detector.read(first: id(151), last: id(152), count: 2, countUpTo: { _ in 0 })?.kind == .trimmed)
        #expect(detector.read(first: id(153), last: id(153), count: 1, countUpTo: { _ in 0 }) == nil)
    }

    @Test("On Redis 6.2 a newly created empty stream has lost an entry")
    func comesAndGoes() {
        var detector = GapDetector(behind: .zero, nil)
        #expect(detector.check(facts(nil, generated: 5, deleted: nil, added: nil))?.kind == .trimmed)
    }

    @Test("An entry that was removed before it was read is detected even if the counts of two streams add up")
    func addsUp() {
        // Entry 100 was read of a stream that was deleted then; 101 to 104 are of another one, and 104 is gone with it.
        var detector = GapDetector(behind: .zero, nil)
        #expect(detector.read(first: id(100), last: id(100), count: 1, countUpTo: { _ in 1 }) == nil)
        #expect(detector.read(first: id(101), last: id(101), count: 1, countUpTo: { _ in 1 }) == nil)
        #expect(detector.check(facts(101...104, added: 4)) == nil)
        #expect(detector.read(first: id(102), last: id(103), count: 2, countUpTo: { _ in 2 }) == nil)
        #expect(detector.readNothing()?.kind == .recreated)
    }

    @Test("A correct count continues from there, also within a batch and while the reader lags")
    func counting() {
        var detector = GapDetector(behind: id(0), facts(1...100, added: 500))
        #expect(detector.bookmark.entriesRead == 400 && detector.lag == 100)
        #expect(detector.read(first: id(1), last: id(60), count: 60, countUpTo: { _ in 60 }) == nil)
        #expect(detector.bookmark.entriesRead == 460 && detector.lag == 40)
        // A look while the count is under way does not begin another.
        #expect(detector.check(facts(1...300, added: 700)) == nil)
        #expect(detector.sample?.added == 500 && detector.lag == 240)
        #expect(detector.read(first: id(61), last: id(120), count: 60, countUpTo: { _ in 40 }) == nil)
        #expect(detector.bookmark.entriesRead == 520 && detector.sample == nil)
        #expect(detector.check(facts(50...300, added: 700)) == nil)
        #expect(detector.read(first: id(121), last: id(300), count: 180, countUpTo: { _ in 0 }) == nil)
        #expect(detector.bookmark.entriesRead == 700)
        #expect(detector.readNothing() == nil)
    }

    @Test("Entries removed before the first read are not missed, at any start")
    func beforeTheFirstRead() {
        var detector = GapDetector(behind: .zero, facts(1...100, added: 100))
        #expect(detector.read(first: id(11), last: id(100), count: 90, countUpTo: { _ in 0 }) == nil)
        #expect(detector.bookmark.entriesRead == nil)
        #expect(detector.check(facts(11...120, added: 120)) == nil)
        #expect(detector.read(first: id(101), last: id(120), count: 20, countUpTo: { _ in 0 }) == nil)
        #expect(detector.bookmark.entriesRead == 120)
    }

    @Test("A newly created stream is counted from zero")
    func comesToBe() {
        var detector = GapDetector(behind: .zero, nil)
        #expect(detector.check(nil) == nil)
        #expect(detector.check(facts(6...10, added: 10))?.lost == 5)
        detector = GapDetector(behind: .zero, nil)
        #expect(detector.check(facts(1...10, added: 10)) == nil)
        #expect(detector.read(first: id(1), last: id(10), count: 10, countUpTo: { _ in 0 }) == nil)
        #expect(detector.bookmark.entriesRead == 10)
    }

    @Test("A restart before the stream exists casts no doubt on it later, and checks do not forget the server")
    func restartedBefore() {
        var detector = GapDetector(behind: .zero, nil, server: "a")
        #expect(detector.check(nil, server: "b") == nil && detector.bookmark.server == "b")
        #expect(detector.check(nil) == nil && detector.bookmark.server == "b")
        #expect(detector.check(facts(1...10, deleted: nil, added: nil)) == nil)
        #expect(detector.bookmark.isSeen && detector.bookmark.server == "b")
    }

    @Test("Entries of a new stream that are removed between the check at a restart and the first read are missed")
    func inFlightThenTrimmed() {
        var bookmark = GapDetector(behind: .zero, nil).bookmark
        Self.inFlight(&bookmark)
        var detector = GapDetector(resuming: bookmark)
        #expect(detector.check(facts(7...12, added: 6), server: "a") == nil)
        let gap = detector.read(first: id(9), last: id(12), count: 4, countUpTo: { _ in 4 })
        #expect(gap?.kind == .trimmed && gap?.lost == 2)
    }

    @Test("Removals that an older copy of the server undoes are detected within a run")
    func removalsUndone() {
        var detector = GapDetector(behind: id(100), facts(51...100, added: 100))
        #expect(detector.bookmark.removed == 50)
        #expect(detector.check(facts(61...110, added: 110)) == nil)
        #expect(detector.bookmark.removed == 60)
        #expect(detector.check(facts(56...115, added: 115))?.kind == .recreated)
        // What is accepted is known from then on.
        detector.accept(facts(56...115, added: 115), server: nil)
        #expect(detector.check(facts(56...115, added: 115)) == nil)
    }

    @Test("A start above all ids is kept, and entries below it do not count as lost")
    func startAbove() {
        var detector = GapDetector(behind: id(1000), facts(1...10, added: 10))
        #expect(detector.check(facts(1...20, added: 20)) == nil)
        #expect(detector.readNothing() == nil)
        #expect(detector.check(facts(1...30, added: 30)) == nil)
        #expect(detector.readNothing() == nil)
    }

    @Test("An accepted gap is not reported again")
    func accepted() {
        for stream in [facts(121...150, added: 150), facts(1...90, added: 90)] {
            var detector = GapDetector(behind: id(100), facts(1...100, added: 100))
            #expect(detector.check(stream) != nil)
            detector.accept(stream, server: nil)
            #expect(detector.check(stream) == nil)
            #expect(detector.bookmark.cursor == id(100))
        }
        var detector = GapDetector(behind: id(100), facts(1...100, added: 100))
        #expect(detector.check(nil)?.kind == .deleted)
        detector.accept(nil, server: nil)
        #expect(detector.check(nil) == nil)
        #expect(detector.check(facts(200...210, added: 11)) == nil)
    }

    @Test("A bookmark survives being written and read, and other text is refused")
    func markText() {
        for row in Self.rows {
            #expect(StreamBookmark(text: row.known.text) == row.known)
        }
        let bookmark = GapDetector(behind: .zero, nil).bookmark
        #expect(StreamBookmark(text: bookmark.text) == bookmark)
        let good = bookmark.text
        for text in [
            "", "cursor", "cursor 1-1", good + "\ncursor 1-1", good + "\nposition -1", good + "\ndeleted x",
            good + "\nremoved x",
            good.replacing("seen false", with: "seen perhaps"), good + "\n" + String(repeating: "a", count: 2000),
        ] {
            #expect(StreamBookmark(text: text) == nil, "\(text)")
        }
    }

    @Test("Replies of Redis 7 and 6.2 are read, others are refused")
    func answers() {
        func bulk(_ text: String) -> RESPValue { .bulk(Array(text.utf8)) }
        let entry = RESPValue.array([bulk("3-1"), .array([bulk("a"), bulk("b")])])
        let old: [RESPValue] = [
            bulk("length"), .integer(1), bulk("last-generated-id"), bulk("5-1"), bulk("groups"), .integer(0),
            bulk("first-entry"), entry, bulk("last-entry"), entry,
        ]
        let new = old + [bulk("max-deleted-entry-id"), bulk("4-1"), bulk("entries-added"), .integer(7)]
        let first = EntryID(milliseconds: 3, sequence: 1)
        var expected = StreamFacts(
            length: 1, first: first, last: first, generated: EntryID(milliseconds: 5, sequence: 1), deleted: nil,
            added: nil)
        #expect(StreamFacts(.array(old)) == expected)
        expected.deleted = EntryID(milliseconds: 4, sequence: 1)
        expected.added = 7
        #expect(StreamFacts(.array(new)) == expected)
        #expect(StreamFacts(.array(Array(old.dropLast(2)))) == nil)
        #expect(StreamFacts(.array(Array(old.dropFirst(2)))) == nil)
        #expect(StreamFacts(.array([])) == nil && StreamFacts(.null) == nil)
    }
}
