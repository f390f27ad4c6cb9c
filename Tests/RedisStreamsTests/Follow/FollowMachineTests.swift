import StageKit
import Testing

@testable import RedisStreams

@Suite struct FollowMachineTests {
    private func opening(_ facts: StreamFacts?, start: UInt64? = nil) -> FollowMachine.Opening {
        FollowMachine.Opening(facts: facts, start: start.map { id($0) })
    }

    /// A machine that has read 1 to 100 of 100.
    private func follower(_ onGap: GapPolicy = .failClosed, _ bootstrap: Bootstrap = .none) -> FollowMachine {
        var machine = FollowMachine(FollowPolicy(start: .tail, bootstrap: bootstrap, onGap: onGap))
        switch machine.opened(self.opening(facts(1...100, added: 100), start: 100)) {
        case .scan: #expect(machine.scanned(facts(1...100, added: 100)) == nil)
        case .read: break
        case .gap(let gap, _): Issue.record("\(gap)")
        }
        if machine.cursor == .zero {
            #expect(machine.read(first: id(1), last: id(100), count: 100, countUpTo: { _ in 0 }) == nil)
            machine.delivered()
        }
        #expect(machine.phase == .following && !machine.holdsLookUps)
        return machine
    }

    private func gap(_ course: FollowMachine.Course?) -> (kind: GapKind, response: FollowMachine.Response)? {
        if case .gap(let gap, let response) = course { (gap.kind, response) } else { nil }
    }

    @Test("At the tail there is nothing to fill; elsewhere lookups wait until the end at start is reached")
    func starts() {
        var tail = FollowMachine(FollowPolicy(start: .tail))
        #expect(tail.questions == FollowMachine.Questions(tail: true))
        #expect(tail.opened(self.opening(facts(1...9, added: 9), start: 9)) == .read(id(9)))
        #expect(tail.phase == .following && tail.bookmark?.entriesRead == 9)
        var beginning = FollowMachine(FollowPolicy(start: .beginning))
        #expect(beginning.questions == FollowMachine.Questions())
        #expect(beginning.opened(self.opening(facts(1...9, added: 9), start: 0)) == .read(.zero))
        #expect(beginning.phase == .filling(until: id(9)) && beginning.holdsLookUps && beginning.bookmark == nil)
        #expect(beginning.read(first: id(1), last: id(5), count: 5, countUpTo: { _ in 0 }) == nil)
        beginning.delivered()
        #expect(beginning.holdsLookUps)
        #expect(beginning.read(first: id(6), last: id(11), count: 6, countUpTo: { _ in 4 }) == nil)
        #expect(beginning.holdsLookUps)
        beginning.delivered()
        #expect(beginning.phase == .following)
    }

    @Test("The range of missed entries ends where reading begins, or before the first remaining entry")
    func historyStart() {
        var tail = FollowMachine(FollowPolicy(start: .tail))
        _ = tail.opened(self.opening(facts(1...9, added: 9), start: 9))
        #expect(tail.historyStart == id(9))
        var beginning = FollowMachine(FollowPolicy(start: .beginning))
        _ = beginning.opened(self.opening(facts(4...9, added: 9), start: 0))
        #expect(beginning.historyStart < id(4) && beginning.historyStart > id(3))
        var empty = FollowMachine(FollowPolicy(start: .beginning))
        _ = empty.opened(self.opening(nil, start: 0))
        #expect(empty.historyStart == .zero)
        var blind = FollowMachine(FollowPolicy(start: .beginning, onGap: .goOn))
        var answers = self.opening(nil, start: 0)
        answers.isBlind = true
        _ = blind.opened(answers)
        #expect(blind.historyStart == .max)
        let keys = self.follower(.failClosed, .keys(KeyBootstrap(match: "*")))
        #expect(keys.historyStart == id(100))
    }

    @Test("A gap empties the stores, and the entries after the cursor are read; of another stream, all entries")
    func failClosed() {
        var machine = self.follower()
        let trimmed = self.gap(machine.checked(facts(121...150, added: 150)))
        #expect(trimmed?.kind == .trimmed && trimmed?.response == .empty)
        #expect(machine.holdsLookUps && machine.bookmark == nil && machine.epoch == 1)
        #expect(machine.opened(self.opening(facts(121...150, added: 150))) == .read(id(100)))
        #expect(machine.phase == .filling(until: id(150)))
        machine = self.follower()
        #expect(self.gap(machine.opened(self.opening(nil)))?.kind == .deleted)
        #expect(machine.opened(self.opening(facts(200...210, added: 11))) == .read(.zero))
    }

    @Test("A batch that shows a gap is read again")
    func gapInBatch() {
        var machine = self.follower()
        #expect(machine.checked(facts(1...150, added: 150)) == nil)
        let gap = self.gap(machine.read(first: id(141), last: id(150), count: 10, countUpTo: { _ in 0 }))
        #expect(gap?.kind == .trimmed && gap?.response == .empty)
        #expect(machine.opened(self.opening(facts(141...150, added: 150))) == .read(id(100)))
    }

    @Test("An accepted gap leaves the cursor unchanged and is reported once")
    func goOn() {
        var machine = self.follower(.goOn)
        #expect(self.gap(machine.checked(facts(121...150, added: 150)))?.response == .accept)
        #expect(machine.opened(self.opening(facts(121...150, added: 150))) == .read(id(100)))
        #expect(machine.checked(facts(121...150, added: 150)) == nil)
        #expect(machine.epoch == 0)
        #expect(machine.read(first: id(121), last: id(150), count: 30, countUpTo: { _ in 0 }) == nil)
        machine.delivered()
        #expect(self.gap(machine.opened(self.opening(facts(1...9, added: 9))))?.kind == .wentBack)
        #expect(machine.opened(self.opening(facts(1...9, added: 9))) == .read(id(150)))
        #expect(machine.readNothing() == nil)
    }

    @Test("With on_gap: halt a gap ends the run")
    func halt() {
        var machine = self.follower(.halt)
        #expect(self.gap(machine.checked(facts(121...150, added: 150)))?.response == .halt)
    }

    @Test("To confirm the stores the stream is read again; snapshots from before its first entry are removed")
    func resyncFromStream() {
        for bootstrap in [Bootstrap.none, .stream] {
            var machine = self.follower(.resync, bootstrap)
            #expect(self.gap(machine.checked(facts(121...150, added: 150)))?.response == .keep)
            #expect(machine.opened(self.opening(facts(121...150, added: 150))) == .read(.zero))
            #expect(machine.sweep == id(121) && !machine.holdsLookUps && machine.bookmark == nil)
            #expect(machine.read(first: id(121), last: id(150), count: 30, countUpTo: { _ in 0 }) == nil)
            machine.delivered()
            #expect(machine.phase == .following && machine.bookmark == nil)
            machine.swept()
            #expect(machine.bookmark != nil)
        }
    }

    @Test("Only entries up to the cursor are known to be finished, and only while stores are kept over a gap")
    func finishedUpTo() throws {
        var machine = self.follower(.resync, .stream)
        #expect(machine.finishedUpTo == nil)
        #expect(machine.checked(facts(1...150, added: 150)) == nil)
        #expect(self.gap(machine.checked(facts(121...150, added: 150)))?.response == .keep)
        #expect(machine.opened(self.opening(facts(121...150, added: 150))) == .read(.zero))
        #expect(machine.finishedUpTo == id(100))
        // Another gap while the stream is read again: the cursor is behind, and what was finished stays so.
        #expect(machine.read(first: id(121), last: id(130), count: 10, countUpTo: { _ in 10 }) == nil)
        machine.delivered()
        #expect(self.gap(machine.checked(facts(141...160, added: 160)))?.response == .keep)
        #expect(machine.opened(self.opening(facts(141...160, added: 160))) == .read(.zero))
        #expect(machine.finishedUpTo == id(130))
        // Ids of another history say nothing.
        #expect(self.gap(machine.checked(facts(1...90, added: 90)))?.response == .empty)
        #expect(machine.finishedUpTo == nil)
        // Neither does a store that is emptied, nor a checkpoint whose stores may hold more than its cursor says.
        for onGap in [GapPolicy.failClosed, .goOn] {
            var other = self.follower(onGap, .stream)
            #expect(other.checked(facts(121...150, added: 150)) != nil)
            #expect(other.finishedUpTo == nil)
        }
        let bookmark = try #require(self.follower().bookmark)
        var resumed = FollowMachine(FollowPolicy(start: .resume, onGap: .resync), resuming: bookmark)
        #expect(resumed.opened(self.opening(facts(1...150, added: 150))) == .read(id(100)))
        #expect(resumed.finishedUpTo == nil)
    }

    @Test("After a gap before the stores are first filled, lookups are refused")
    func resyncWhileFilling() {
        var machine = FollowMachine(FollowPolicy(bootstrap: .stream, onGap: .resync))
        #expect(machine.opened(self.opening(facts(1...100, added: 100))) == .read(.zero))
        #expect(machine.read(first: id(1), last: id(50), count: 50, countUpTo: { _ in 50 }) == nil)
        machine.delivered()
        let stream = facts(1...100, deleted: 70, added: 100)
        #expect(self.gap(machine.checked(stream))?.response == .empty)
        #expect(machine.opened(self.opening(stream)) == .read(.zero) && machine.holdsLookUps)
    }

    @Test("If ids cannot be compared, the stores are emptied")
    func resyncOther() {
        var machine = self.follower(.resync, .stream)
        #expect(self.gap(machine.checked(facts(1...90, added: 90)))?.response == .empty)
        #expect(machine.opened(self.opening(facts(1...90, added: 90))) == .read(.zero))
        #expect(machine.sweep == nil && machine.holdsLookUps)
    }

    @Test("Keys are read as of the stream's end at that moment, then the stream up to its end after that")
    func keys() {
        var machine = FollowMachine(FollowPolicy(bootstrap: .keys(KeyBootstrap(match: "s:*"))))
        #expect(machine.questions == FollowMachine.Questions())
        #expect(machine.opened(self.opening(facts(1...100, added: 100))) == .scan(id(100), emptying: false))
        #expect(machine.holdsLookUps)
        // The connection breaks: all over again, without what the first attempt has read.
        machine.disconnected()
        #expect(machine.opened(self.opening(facts(1...110, added: 110))) == .scan(id(110), emptying: true))
        #expect(machine.scanned(facts(1...115, added: 115)) == nil)
        #expect(machine.phase == .filling(until: id(115)) && machine.cursor == id(110))
        #expect(machine.read(first: id(111), last: id(115), count: 5, countUpTo: { _ in 0 }) == nil)
        machine.delivered()
        #expect(machine.phase == .following)
        machine.swept()
        // Trimmed while keys are read: what they hold and what is left of the stream do not meet.
        machine = FollowMachine(FollowPolicy(bootstrap: .keys(KeyBootstrap(match: "s:*"))))
        #expect(machine.opened(self.opening(facts(1...100, added: 100))) == .scan(id(100), emptying: false))
        #expect(self.gap(machine.scanned(facts(150...200, added: 200)))?.kind == .trimmed)
        #expect(machine.opened(self.opening(facts(150...200, added: 200))) == .scan(id(200), emptying: false))
    }

    @Test("A run continues from a checkpoint unless entries were lost since or it cannot be used")
    func resume() throws {
        let bookmark = try #require(self.follower().bookmark)
        let policy = FollowPolicy(start: .resume, bootstrap: .stream)
        var machine = FollowMachine(policy, resuming: bookmark)
        #expect(machine.questions.anchor == id(100) && machine.holdsLookUps)
        #expect(machine.opened(self.opening(facts(1...150, added: 150))) == .read(id(100)))
        #expect(machine.phase == .filling(until: id(150)))
        machine = FollowMachine(policy, resuming: bookmark)
        #expect(self.gap(machine.opened(self.opening(facts(121...150, added: 150))))?.kind == .trimmed)
        #expect(machine.opened(self.opening(facts(121...150, added: 150))) == .read(.zero))
        machine = FollowMachine(policy)
        let lost = self.gap(machine.lostCheckpoint("torn"))
        #expect(lost?.kind == .checkpoint && lost?.response == .empty)
        #expect(machine.opened(self.opening(facts(1...9, added: 9))) == .read(.zero))
    }

    @Test("A checkpoint knows of a new stream as soon as its first entries are read, and its cursor stays before them")
    func firstEntriesInFlight() throws {
        // With the counts of Redis 7, and without.
        for (deleted, added) in [(UInt64?.some(0), UInt64?.some(6)), (nil, nil)] {
            var machine = FollowMachine(FollowPolicy(start: .resume))
            #expect(machine.opened(self.opening(nil, start: 0)) == .read(.zero))
            #expect(machine.bookmark?.isSeen == false)
            let early = try #require(machine.bookmarkInFlight(first: id(7), last: id(9)))
            #expect(machine.read(first: id(7), last: id(9), count: 3, countUpTo: { _ in 0 }) == nil)
            #expect(early.cursor == .zero && early.isSeen && early.generated == id(9) && early.baseline == id(7))
            machine.delivered()
            #expect(machine.bookmarkInFlight(first: id(10), last: id(10)) == nil)

            let policy = FollowPolicy(start: .resume)
            var resumed = FollowMachine(policy, resuming: early)
            #expect(resumed.opened(self.opening(facts(7...12, deleted: deleted, added: added))) == .read(.zero))
            #expect(resumed.phase == .filling(until: id(12)))
            for (stream, kind) in [
                (nil, GapKind.deleted), (facts(1...3, deleted: deleted, added: added), .wentBack),
                (facts(8...12, deleted: deleted, added: added), .trimmed),
            ] {
                resumed = FollowMachine(policy, resuming: early)
                #expect(self.gap(resumed.opened(self.opening(stream)))?.kind == kind)
            }
        }
    }

    @Test("Keys are read again after a failover before their entries were read")
    func keysAfterFailover() {
        let policy = FollowPolicy(bootstrap: .keys(KeyBootstrap(match: "*")))
        for (server, isAgain) in [("a", false), ("b", true), (nil, true)] {
            var machine = FollowMachine(policy)
            var answers = self.opening(facts(1...9, added: 9))
            answers.server = "a"
            #expect(machine.opened(answers) == .scan(id(9), emptying: false))
            #expect(machine.scanned(facts(1...12, added: 12)) == nil)
            #expect(machine.phase == .filling(until: id(12)))
            machine.disconnected()
            answers = self.opening(facts(1...12, added: 12))
            (answers.server, answers.anchor) = (server, .present)
            let expected = isAgain ? FollowMachine.Course.scan(id(12), emptying: true) : .read(id(9))
            #expect(machine.opened(answers) == expected, "\(server ?? "not told")")
        }
    }
}
