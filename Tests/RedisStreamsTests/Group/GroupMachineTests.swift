import StageKit
import Testing

@testable import RedisStreams

@Suite struct GroupMachineTests {
    private let start = ContinuousClock.now

    private func machine(maxDeliveries: Int = 3, readCount: Int = 4, halts: Bool = false) -> GroupMachine {
        GroupMachine(
            GroupMachine.Policy(
                interval: .seconds(1), maxDeliveries: maxDeliveries, readCount: readCount, halts: halts))
    }

    private func group(at place: UInt64, read: UInt64? = nil, lag: UInt64? = nil) -> GroupFacts {
        GroupFacts(delivered: id(place), pending: 0, consumers: 1, read: read, lag: lag)
    }

    private func pending(
        _ ids: ClosedRange<UInt64>, _ consumer: String = "other", deliveries: Int = 1
    ) -> [PendingEntry] {
        ids.map { PendingEntry(id: id($0), consumer: consumer, idle: .seconds(60), deliveries: deliveries) }
    }

    /// A machine that has found its group at 100 of 100 and has no backlog.
    private func follower(halts: Bool = false) -> GroupMachine {
        var machine = self.machine(halts: halts)
        #expect(machine.opened(facts(1...100, added: 100), self.group(at: 100, read: 100)) == .goOn)
        #expect(machine.ownPending([]) == nil)
        let gap = machine.surveyed(
            facts(1...100, added: 100), self.group(at: 100, read: 100), [], hurries: false, at: self.start)
        #expect(gap == nil)
        return machine
    }

    @Test("A missing group is created at the start; an existing one is used unchanged")
    func first() {
        var machine = self.machine()
        #expect(machine.opened(facts(1...9, added: 9), nil) == .create)
        #expect(machine.opened(nil, nil) == .create)
        #expect(machine.opened(facts(1...9, added: 9), self.group(at: 2)) == .goOn)
    }

    @Test("The own backlog comes first, then a check, then new entries, with a check per interval")
    func order() {
        var machine = self.machine()
        _ = machine.opened(facts(1...9, added: 9), self.group(at: 9))
        #expect(machine.next(at: self.start) == .backlog(after: nil))
        #expect(machine.ownPending(self.pending(1...3, "me")) != nil)
        #expect(machine.next(at: self.start) == .backlog(after: id(3)))
        #expect(machine.ownPending([]) == nil)
        #expect(machine.next(at: self.start) == .survey)
        _ = machine.surveyed(facts(1...9, added: 9), self.group(at: 9), [], hurries: false, at: self.start)
        #expect(machine.next(at: self.start) == .read)
        machine.readNothing()
        #expect(machine.next(at: self.start + .milliseconds(999)) == .read)
        #expect(machine.next(at: self.start + .seconds(1)) == .survey)
    }

    @Test("If more entries are abandoned than one check claims, reads and checks alternate")
    func hurry() {
        var machine = self.follower()
        _ = machine.surveyed(facts(1...100, added: 100), self.group(at: 100), [], hurries: true, at: self.start)
        #expect(machine.next(at: self.start) == .read)
        machine.readNothing()
        #expect(machine.next(at: self.start) == .survey)
    }

    @Test("A new connection starts with the backlog again")
    func reconnected() {
        var machine = self.follower()
        #expect(machine.opened(facts(1...100, added: 100), self.group(at: 100)) == .goOn)
        #expect(machine.next(at: self.start) == .backlog(after: nil))
        machine.openedBlindly()
        #expect(machine.next(at: self.start) == .backlog(after: nil))
    }

    @Test("Entries are claimed together, or alone if they may have crashed a worker")
    func runs() {
        var machine = self.machine()
        let entries = self.pending(1...6) + self.pending(7...8, deliveries: 2) + self.pending(9...9)
        let takes = machine.takeOver(entries, of: "me")
        #expect(takes.map(\.first) == [1, 5, 7, 8, 9].map { id($0) })
        #expect(takes.map(\.deliveries.count) == [4, 2, 1, 1, 1])
        #expect(takes[2].deliveries == [id(7): 3] && takes[0].deliveries[id(2)] == 2)
        // The own backlog goes by the same rule.
        machine.openedBlindly()
        #expect(machine.ownPending(Array(entries.suffix(3)))?.deliveries == [id(7): 3])
        #expect(machine.next(at: self.start) == .backlog(after: id(7)))
    }

    @Test("The worker's own entries are never claimed, nor counted as part of a run")
    func own() {
        let entries = self.pending(1...2) + self.pending(3...3, "me") + self.pending(4...5)
        let takes = self.machine().takeOver(entries, of: "me")
        #expect(takes.map(\.first) == [id(1), id(4)] && takes.map(\.deliveries.count) == [2, 2])
        #expect(self.machine().takeOver(self.pending(1...9, "me"), of: "me").isEmpty)
    }

    @Test("An entry is refused after its maximum number of deliveries", arguments: [(1, false), (3, false), (4, true)])
    func poison(deliveries: Int, isRefused: Bool) {
        let failure = self.machine().refusal(deliveries: deliveries)
        #expect((failure != nil) == isRefused)
        if let failure { #expect(failure.reason == "max_deliveries" && failure.attempts == deliveries) }
    }

    @Test(
        "Every entry is tried alone before it is refused, and an unknown first delivery does not count",
        arguments: [1, 2, 3, 4, 10])
    func triedAlone(limit: Int) {
        // Each process dies with what it takes; the server counts. With entry 1, entries 2 and 3 are always read.
        var counts: [EntryID: Int] = Dictionary(uniqueKeysWithValues: (1...3).map { (id($0), 1) })
        var alone: [EntryID: Int] = [:]
        for _ in 0..<50 where !counts.isEmpty {
            var machine = self.machine(maxDeliveries: limit)
            _ = machine.opened(facts(1...3, added: 3), self.group(at: 3))
            let page = counts.sorted { $0.key < $1.key }.map {
                PendingEntry(id: $0.key, consumer: "me", idle: .seconds(1), deliveries: $0.value)
            }
            guard let take = machine.ownPending(page) else { return }
            #expect(take.corrections.isEmpty)
            for (id, deliveries) in take.deliveries {
                counts[id] = deliveries
                guard machine.refusal(deliveries: deliveries) == nil else {
                    #expect(alone[id, default: 0] >= 1 && deliveries > limit)
                    counts[id] = nil
                    continue
                }
                if take.deliveries.count == 1 { alone[id, default: 0] += 1 }
            }
        }
        #expect(counts.isEmpty)
    }

    @Test("Entries only read ahead or lost with a connection were never delivered, whatever the server counted")
    func readAhead() {
        var machine = self.machine(maxDeliveries: 1)
        _ = machine.opened(facts(1...9, added: 9), self.group(at: 9))
        // What another process had before this one is as the server has counted it.
        #expect(machine.handOvers(of: self.pending(9...9, "me", deliveries: 3)[0]) == 3)
        #expect(machine.ownPending([]) == nil)
        // Read, and lost with the connection, three times.
        for counted in 1...3 {
            machine.openedBlindly()
            let take = machine.ownPending(self.pending(10...12, "me", deliveries: counted))
            #expect(take?.deliveries == [id(10): 1, id(11): 1, id(12): 1])
            #expect(take?.corrections.map(\.deliveries) == [0, 0, 0])
            if let take { machine.taking(take) }
        }
        #expect(machine.refusal(deliveries: 1) == nil)
    }

    @Test("A claim that was lost with its connection does not count either, and one that was handed over does")
    func claimLost() {
        var machine = self.machine(maxDeliveries: 3)
        _ = machine.opened(facts(1...9, added: 9), self.group(at: 9))
        #expect(machine.ownPending([]) == nil)
        guard let claim = machine.takeOver(self.pending(4...5), of: "me").first else {
            Issue.record("nothing taken over")
            return
        }
        #expect(claim.deliveries == [id(4): 2, id(5): 2])
        machine.taking(claim)
        machine.handed([id(5)])
        machine.openedBlindly()
        // The server has counted the claim, and one more read that was lost.
        let page = [4, 5].map { PendingEntry(id: id($0), consumer: "me", idle: .zero, deliveries: 3) }
        #expect(page.map { machine.handOvers(of: $0) } == [1, 3])
        #expect(machine.ownPending(page)?.corrections.map(\.id) == [id(4)])
    }

    @Test("A deleted group continues where it was, with the pending entries of others; in another stream, all is new")
    func healed() {
        var machine = self.follower()
        machine.read(upTo: id(110))
        _ = machine.surveyed(
            facts(1...120, added: 120), self.group(at: 115), self.pending(111...113), hurries: false, at: self.start)
        machine.read(upTo: id(120))
        var gone = machine
        guard case .heal(let gap, let place, let restored) = gone.opened(facts(1...130, added: 130), nil) else {
            Issue.record("not healed")
            return
        }
        #expect(gap.kind == .groupLost && place == id(120) && restored.map(\.id) == [111, 112, 113].map { id($0) })
        var deleted = machine
        guard case .heal(let second, let none, let nothing) = deleted.opened(nil, nil) else {
            Issue.record("not healed")
            return
        }
        #expect(second.kind == .deleted && none == .zero && nothing.isEmpty && deleted.place == .zero)
        guard case .heal(let third, .zero, _) = machine.opened(facts(1...5, added: 5), nil) else {
            Issue.record("not healed")
            return
        }
        #expect(third.kind == .recreated)
    }

    /// What a look finds, and the gap it means: stream, its entries ever added, greatest deleted id, the group's place and
    /// how many were delivered.
    struct Loss: Sendable {
        var stream: ClosedRange<UInt64>
        var added: UInt64?
        var deleted: UInt64?
        var place: UInt64
        var read: UInt64?
        var kind: GapKind?
        var lost: UInt64?
    }

    static let losses = [
        Loss(stream: 1...200, added: 200, place: 150, read: 150),
        Loss(stream: 140...200, added: 200, place: 150, read: 150),
        Loss(stream: 151...200, added: 200, place: 150, read: 150),
        Loss(stream: 161...200, added: 200, place: 150, read: 150, kind: .trimmed, lost: 10),
        Loss(stream: 161...200, added: 200, place: 150, read: nil),
        Loss(stream: 161...200, added: nil, place: 150, read: nil),
        Loss(stream: 101...200, added: 200, deleted: 170, place: 150, read: 150, kind: .entriesDeleted),
        Loss(stream: 101...200, added: 200, deleted: 150, place: 150, read: 150),
    ]

    @Test("Entries removed after the last delivered id are reported once", arguments: losses)
    func lost(_ loss: Loss) {
        var machine = self.follower()
        let stream = facts(loss.stream, deleted: loss.deleted ?? 0, added: loss.added)
        let group = self.group(at: loss.place, read: loss.read)
        let gap = machine.surveyed(stream, group, [], hurries: false, at: self.start)
        #expect(gap?.kind == loss.kind && gap?.lost == loss.lost)
        #expect(machine.surveyed(stream, group, [], hurries: false, at: self.start) == nil)
    }

    @Test("Entries removed before the worker started are not missed, and without permissions nothing is reported")
    func notMissed() {
        var machine = self.machine()
        _ = machine.opened(facts(161...200, added: 200), self.group(at: 150, read: 150))
        let first = machine.surveyed(
            facts(161...200, added: 200), self.group(at: 150, read: 150), [], hurries: false, at: self.start)
        #expect(first == nil)
        #expect(machine.surveyed(nil, nil, [], hurries: false, at: self.start) == nil)
        #expect(machine.place == id(150))
    }

    @Test(
        "The lag is that of the server if it reports one, otherwise derived from ids and counts",
        arguments: [
            (100, nil, nil, 0), (90, nil, 10, 10), (90, 90, nil, 10), (90, nil, nil, nil), (40, nil, nil, 50),
            (120, nil, 7, 0),
        ] as [(UInt64, UInt64?, UInt64?, UInt64?)])
    func lag(place: UInt64, read: UInt64?, told: UInt64?, lag: UInt64?) {
        #expect(self.group(at: place, read: read, lag: told).lag(in: facts(51...100, added: 100)) == lag)
    }
}
