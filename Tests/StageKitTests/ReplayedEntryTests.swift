import StageKit
import Testing

@Suite struct ReplayedEntryTests {
    private typealias Fields = [(name: [UInt8], value: [UInt8])]

    private static func fields(_ pairs: [(String, String)]) -> Fields {
        pairs.map { (Array($0.0.utf8), Array($0.1.utf8)) }
    }

    private static func id(_ milliseconds: UInt64) -> EntryID { EntryID(milliseconds: milliseconds, sequence: 0) }

    @Test(
        "A lower id in the first field orders the entry and is removed; anything else is kept",
        arguments: [
            ([("_sluice_original", "7-3"), ("a", "1")], "7-3", ["a"]),
            ([("_sluice_original", "0-0"), ("a", "1")], "0-0", ["a"]),
            ([("_sluice_original", "9-999")], "9-999", []),
            ([("_sluice_original", "7-0"), ("_sluice_original", "8-0")], "7-0", ["_sluice_original"]),
            // Its own id, one above it, none.
            ([("_sluice_original", "10-0"), ("a", "1")], "10-0", ["_sluice_original", "a"]),
            ([("_sluice_original", "11-0"), ("a", "1")], "10-0", ["_sluice_original", "a"]),
            ([("_sluice_original", "soon"), ("a", "1")], "10-0", ["_sluice_original", "a"]),
            ([("_sluice_original", ""), ("a", "1")], "10-0", ["_sluice_original", "a"]),
            ([("_sluice_original", "18446744073709551616-0")], "10-0", ["_sluice_original"]),
            // Not the first field, not this name.
            ([("a", "1"), ("_sluice_original", "7-0")], "10-0", ["a", "_sluice_original"]),
            ([("_sluice_originaL", "7-0")], "10-0", ["_sluice_originaL"]),
            ([], "10-0", []),
        ] as [([(String, String)], String, [String])])
    func takesOriginals(pairs: [(String, String)], orderID: String, names: [String]) {
        let batch = EventBatch()
        batch.append(id: Self.id(9), fields: Self.fields([("a", "1")]))
        batch.append(id: Self.id(10), fields: Self.fields(pairs))
        batch.append(id: Self.id(12), fields: Self.fields([("a", "1")]))
        batch.takeOriginals()
        let found = batch.withEvent(at: 1) { event in
            (
                event.id, "\(event.orderID)", event.isReplayed,
                event.rawFields.map { String(decoding: $0.name, as: UTF8.self) }
            )
        }
        #expect(found.0 == Self.id(10) && found.1 == orderID && found.3 == names)
        #expect(found.2 == (orderID != "10-0"))
        for (index, id) in [(0, Self.id(9)), (2, Self.id(12))] {
            let (own, order, isReplayed) = batch.withEvent(at: index) { ($0.id, $0.orderID, $0.isReplayed) }
            #expect(own == id && order == id && !isReplayed)
        }
        // A copy of the event, as lanes make it, is the same event.
        let copy = EventBatch()
        copy.appendCopy(of: batch, at: 1)
        let copied = copy.withEvent(at: 0) { ($0.id, "\($0.orderID)", $0.rawFieldCount) }
        #expect(copied == (found.0, orderID, names.count))
        #expect(copy.lastID == Self.id(10))
        batch.removeAll()
        batch.append(id: Self.id(3), fields: [])
        #expect(batch.withEvent(at: 0) { $0.orderID } == Self.id(3))
    }

    @Test(
        "Every replayed entry of a batch has its own id, and names are no longer positional", arguments: [1, 300])
    func allReplayed(count: Int) {
        let batch = EventBatch()
        for index in 0..<count {
            batch.append(
                id: Self.id(1000 + UInt64(index)),
                fields: Self.fields([("_sluice_original", "\(index)-1"), ("a", "1")]))
        }
        batch.markNamesByPosition()
        batch.takeOriginals()
        for index in 0..<count {
            let (id, order, goesByPosition) = batch.withEvent(at: index) { ($0.id, $0.orderID, $0.namesGoByPosition) }
            #expect(id == Self.id(1000 + UInt64(index)) && !goesByPosition)
            #expect(order == EntryID(milliseconds: UInt64(index), sequence: 1))
        }
        #expect(batch.lastID == Self.id(999 + UInt64(count)))
    }

    @Test("Names stay positional if the first entry is not replayed")
    func noneReplayed() {
        let batch = EventBatch()
        for index in 1...3 { batch.append(id: Self.id(UInt64(index)), fields: Self.fields([("a", "1")])) }
        batch.markNamesByPosition()
        batch.takeOriginals()
        #expect(batch.withEvent(at: 2) { $0.namesGoByPosition && !$0.isReplayed })
    }
}
