import StageKit
import Testing

@testable import AggregateStage

@Suite struct WindowTableTests {
    private static let rules = WindowTable.Rules(
        size: 60_000, lateness: 10_000, functions: [.count, .sum], groups: 100, distinct: 10)

    private static func entry(
        _ number: UInt64, at time: Int64, _ key: String = "a", _ amount: Int64 = 1
    ) -> WindowTable.WindowEvent {
        WindowTable.WindowEvent(
            id: EventID(EntryID(milliseconds: number, sequence: 0)), time: time, clock: time, key: Array(key.utf8),
            samples: [Sample(), Sample(quantity: .integer(amount))])
    }

    /// Adds entries with times and keys, with ids 1-0, 2-0 and so on; returns `start:key=count/sum` for each closed
    /// window, and `late` and `full` for refused entries.
    private static func run(
        _ entries: [(time: Int64, key: String)], _ table: inout WindowTable, from first: UInt64 = 1
    ) -> [String] {
        var lines: [String] = []
        for (index, entry) in entries.enumerated() {
            do throws(WindowTable.Refusal) {
                lines += try table.add(self.entry(first + UInt64(index), at: entry.time, entry.key)).map(self.text)
            } catch {
                switch error {
                case .late(let start): lines.append("late \(start)")
                case .full: lines.append("full")
                case .overflow(let index): lines.append("overflow \(index)")
                }
            }
        }
        return lines
    }

    private static func text(_ window: WindowTable.Closed) -> String {
        let sum: Int64 = if case .integer(let sum) = window.values[1].quantity { sum } else { -1 }
        return "\(window.start):\(String(decoding: window.key, as: UTF8.self))=\(window.values[0].count)/\(sum)"
    }

    @Test(
        "A window has the events from its start to before its end and is closed after the lateness",
        arguments: [
            // Not closed: the newest event is one millisecond short of the end and the lateness.
            ([(0, "a"), (59_999, "a"), (60_000, "a"), (69_999, "a")], []),
            ([(0, "a"), (59_999, "a"), (70_000, "a")], ["0:a=2/2"]),
            // Out of order, within the lateness.
            ([(65_000, "a"), (59_000, "a"), (70_000, "b")], ["0:a=1/1"]),
            // Late: the window is closed, even though it never had an event.
            ([(70_000, "a"), (59_999, "a")], ["late 0"]),
            // An event that opens an older window than any other, which is not closed yet.
            ([(69_999, "a"), (1, "b"), (130_000, "c")], ["0:b=1/1", "60000:a=1/1"]),
            // Several windows at a time: by start, then by key.
            ([(1, "b"), (2, "a"), (60_001, "a"), (600_000, "z")], ["0:a=1/1", "0:b=1/1", "60000:a=1/1"]),
            // Before 1970.
            ([(-1, "a"), (-60_000, "a"), (-60_001, "b"), (10_000, "c")], ["late -120000", "-60000:a=2/2"]),
        ] as [([(time: Int64, key: String)], [String])])
    func windows(entries: [(time: Int64, key: String)], lines: [String]) {
        var table = WindowTable(Self.rules)
        #expect(Self.run(entries, &table) == lines)
    }

    @Test("An entry that the table contains is not added again, and a refused one leaves the table unchanged")
    func repeats() {
        var table = WindowTable(Self.rules)
        #expect(Self.run([(0, "a"), (5, "a"), (70_000, "a")], &table) == ["0:a=2/2"])
        let before = table
        #expect(Self.run([(0, "a"), (5, "a"), (70_000, "a")], &table) == [])
        #expect(table == before)
        #expect(Self.run([(59_999, "a")], &table, from: 4) == ["late 0"])
        #expect(table == before)
    }

    @Test("In a silent stream time closes windows as an entry would, and does nothing else")
    func silence() throws {
        var table = WindowTable(Self.rules)
        #expect(Self.run([(0, "a"), (60_000, "b")], &table) == [])
        let before = table
        #expect(table.advance(to: 69_999) == [])
        #expect(table == before)
        #expect(table.advance(to: 70_000).map { Self.text($0) } == ["0:a=1/1"])
        #expect(Self.run([(59_999, "a"), (60_001, "b")], &table, from: 3) == ["late 0"])
        #expect(table.advance(to: .max / 4).map { Self.text($0) } == ["60000:b=2/2"])
        #expect(table.groupCount == 0)
    }

    @Test("A replayed entry moves time to that of its own id, and is late if its original is")
    func replayed() throws {
        var table = WindowTable(Self.rules)
        _ = try table.add(Self.entry(1, at: 0))
        var replayed = Self.entry(2, at: 1)
        replayed.clock = 69_999
        #expect(try table.add(replayed) == [])
        replayed.id = EventID(EntryID(milliseconds: 3, sequence: 0))
        replayed.clock = 70_000
        #expect(throws: WindowTable.Refusal.late(start: 0)) { try table.add(replayed) }
        #expect(table.open.map { Self.text($0) } == ["0:a=2/2"])
    }

    @Test("The number of open windows is limited; windows that an event closes make room for it")
    func groups() {
        var rules = Self.rules
        rules.groups = 2
        var table = WindowTable(rules)
        #expect(Self.run([(0, "a"), (0, "b"), (0, "c"), (60_001, "a"), (1, "b")], &table) == ["full", "full"])
        #expect(table.groupCount == 2)
        #expect(Self.run([(70_000, "c")], &table, from: 6) == ["0:a=1/1", "0:b=2/2"])
        #expect(table.groupCount == 1)
    }

    @Test("A sum beyond 64 bits is refused, and the window keeps its sum")
    func overflow() throws {
        var table = WindowTable(Self.rules)
        _ = try table.add(Self.entry(1, at: 0, "a", .max - 1))
        _ = try table.add(Self.entry(2, at: 0, "a", 1))
        let before = table
        #expect(throws: WindowTable.Refusal.overflow(1)) { try table.add(Self.entry(3, at: 0, "a", 1)) }
        #expect(table == before)
        #expect(try table.add(Self.entry(4, at: 0, "a", -5)) == [])
        #expect(table.open.map { Self.text($0) } == ["0:a=3/\(Int64.max - 5)"])
    }

    @Test("Different values are counted exactly up to the limit, and not beyond")
    func distinct() throws {
        let rules = WindowTable.Rules(size: 10, lateness: 0, functions: [.distinct], groups: 5, distinct: 3)
        var table = WindowTable(rules)
        for (index, hash) in [7, 8, 7, 9, 8].enumerated() {
            _ = try table.add(
                WindowTable.WindowEvent(
                    id: EventID(EntryID(milliseconds: UInt64(index + 1), sequence: 0)), time: 0, clock: 0, key: [],
                    samples: [Sample(hash: UInt64(hash))]))
        }
        #expect(table.open[0].values[0].seen.count == 3 && !table.open[0].values[0].isCapped)
        #expect(table.distinctCount == 3)
        let more = WindowTable.WindowEvent(
            id: EventID(EntryID(milliseconds: 9, sequence: 0)), time: 0, clock: 0, key: [], samples: [Sample(hash: 10)])
        _ = try table.add(more)
        #expect(table.open[0].values[0].seen.count == 3 && table.open[0].values[0].isCapped)
    }

    @Test("The smallest and the greatest value keep their text; averages and sums need values of their kind")
    func quantities() {
        var (least, most, average) = (Accumulator(), Accumulator(), Accumulator())
        for (text, number) in [("2.50", 2.5), ("-1", -1), ("1e3", 1000), ("7", 7)] {
            let sample = Sample(quantity: .double(number), text: Array(text.utf8))
            least.add(sample, .min, room: 0)
            most.add(sample, .max, room: 0)
            average.add(sample, .avg, room: 0)
        }
        #expect(least.quantity == .double(-1) && least.text == Array("-1".utf8))
        #expect(most.quantity == .double(1000) && most.text == Array("1e3".utf8))
        #expect(average.quantity == .double(1008.5) && average.count == 4)
        #expect(Quantity.double(.greatestFiniteMagnitude).adding(.double(.greatestFiniteMagnitude)) == nil)
        #expect(Quantity.unsigned(.max).adding(.unsigned(1)) == nil)
        #expect(Quantity.time(seconds: 1, nanoseconds: 5).isLess(than: .time(seconds: 1, nanoseconds: 6)))
    }

    /// Entries in a mostly ascending order of times, from a fixed pseudo-random sequence.
    private static func history(_ seed: UInt64) -> [WindowTable.WindowEvent] {
        var state = seed
        func next(_ limit: UInt64) -> UInt64 {
            // Numerical Recipes' linear congruential generator; the high bits are good enough here.
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % limit
        }
        return (1...300).map { number in
            let time = Int64(number) * 2_000 + Int64(next(40_000)) - 20_000
            return self.entry(UInt64(number), at: time, ["a", "b", "c"][Int(next(3))], Int64(next(100)))
        }
    }

    @Test(
        "A restart after any entry, with some entries read again, changes no total", arguments: [1, 2, 3] as [UInt64])
    func restarts(seed: UInt64) throws {
        let history = Self.history(seed)
        func results(_ entries: some Sequence<WindowTable.WindowEvent>, _ state: WindowState) -> [WindowTable.Closed] {
            entries.flatMap { (try? state.add($0)) ?? [] }
        }
        let expected = results(history, WindowState(Self.rules, signature: "s"))
        #expect(expected.count > 10)
        for cut in stride(from: 0, through: history.count, by: 7) {
            let first = WindowState(Self.rules, signature: "s")
            let closed = results(history.prefix(cut), first)
            let second = WindowState(Self.rules, signature: "s")
            try second.restore(first.save())
            // The saved position is five entries behind the saved state.
            #expect(closed + results(history.dropFirst(max(0, cut - 5)), second) == expected, "after \(cut)")
        }
    }

    @Test("Each element of an entry counts once, also if the state was saved between two of them", arguments: 0...9)
    func elements(cut: Int) throws {
        var elements: [WindowTable.WindowEvent] = []
        for number in [UInt64(1), 2, 70_001] {
            for element in 0..<3 {
                var entry = Self.entry(number, at: Int64(number), ["a", "b", "a"][element])
                entry.id.element = element
                elements.append(entry)
            }
        }
        let first = WindowState(Self.rules, signature: "s")
        var closed: [WindowTable.Closed] = []
        for element in elements.prefix(cut) { closed += try first.add(element) }
        let second = WindowState(Self.rules, signature: "s")
        try second.restore(first.save())
        // All elements are read again.
        for element in elements { closed += try second.add(element) }
        #expect(closed.map { Self.text($0) } == ["0:a=4/4", "0:b=2/2"])
        #expect(second.advance(to: 200_000).map { Self.text($0) } == ["60000:a=2/2", "60000:b=1/1"])
    }

    @Test("A state of other settings, of another version or with a changed byte is refused or read, never a crash")
    func damage() throws {
        let rules = WindowTable.Rules(
            size: 10, lateness: 0, functions: [.count, .max, .distinct], groups: 5, distinct: 3)
        let state = WindowState(rules, signature: "s")
        for (number, quantity) in [Quantity.integer(1), .unsigned(2), .double(3), .time(seconds: 4, nanoseconds: 5)]
            .enumerated()
        {
            _ = try state.add(
                WindowTable.WindowEvent(
                    id: EventID(EntryID(milliseconds: UInt64(number + 1), sequence: 0), element: number), time: 3,
                    clock: 3, key: [UInt8(number)],
                    samples: [Sample(), Sample(quantity: quantity, text: [1, 2]), Sample(hash: UInt64(number))]))
        }
        let saved = state.save()
        let lost = StageFailure("the stage's settings have changed (all): 4 open windows are lost")
        #expect(throws: lost) { try WindowState(rules, signature: "t").restore(saved) }
        let copy = WindowState(rules, signature: "s")
        try copy.restore(saved)
        #expect(copy.save() == saved)
        var refused = 0
        for index in saved.indices {
            for bit in 0..<8 {
                var bytes = saved
                bytes[index] ^= 1 << UInt8(bit)
                do { try WindowState(rules, signature: "s").restore(bytes) } catch { refused += 1 }
            }
        }
        #expect(refused > 100)
    }

    @Test("SipHash gives the values of its reference implementation")
    func sipHash() {
        // "SipHash: a fast short-input PRF", appendix A, and the first vectors of the reference implementation: the key
        // is 00 to 0f, the input 00, 01, 02 and so on.
        let hasher = SipHash(first: 0x0706_0504_0302_0100, second: 0x0F0E_0D0C_0B0A_0908)
        func hash(_ count: UInt8) -> UInt64 { hasher.hash(Array(0..<count).span) }
        #expect(hash(15) == 0xA129_CA61_49BE_45E5)
        #expect(hash(0) == 0x726F_DB47_DD0E_0E31)
        #expect(hash(8) == 0x93F5_F579_9A93_2462)
    }
}
