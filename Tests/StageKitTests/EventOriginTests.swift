import StageKit
import Testing

@Suite struct EventOriginTests {
    private static func id(_ milliseconds: UInt64) -> EntryID { EntryID(milliseconds: milliseconds, sequence: 0) }

    @Test("Only the events that stages have added count as added, also when the batch is used again")
    func added() {
        let batch = EventBatch()
        for _ in 1...2 {
            batch.removeAll()
            for number in 1...3 as ClosedRange<UInt64> { batch.append(id: Self.id(number), fields: []) }
            batch.prepareCells(fieldCount: 1)
            let events = EmittedEvents(batch)
            for number in 4...5 as ClosedRange<UInt64> { events.add(id: Self.id(number)) { _ in } }
            #expect(events.indices == 3..<5)
            let added = (0..<5).map { index in batch.withEvent(at: index) { $0.isAdded } }
            #expect(added == [false, false, false, true, true])
            #expect(batch.withEvent(at: 4) { $0.deliveries } == 0 && batch.withEvent(at: 0) { $0.deliveries } == 1)
            batch.removeAdded()
        }
    }

    @Test("An event that a source has added is one in a copy, too")
    func ofSource() {
        let batch = EventBatch()
        for number in 1...3 as ClosedRange<UInt64> { batch.append(id: Self.id(number), fields: []) }
        batch.setDeliveries(0)
        batch.append(id: Self.id(4), fields: [])
        let copy = EventBatch()
        for index in 0..<4 { copy.appendCopy(of: batch, at: index) }
        for batch in [batch, copy] {
            batch.prepareCells(fieldCount: 0)
            #expect((0..<4).map { index in batch.withEvent(at: index) { $0.isAdded } } == [false, false, true, false])
        }
    }

    @Test("Only an entry of which the source left something out counts as partial, and so do its elements")
    func partial() {
        let batch = EventBatch()
        for number in 1...4 as ClosedRange<UInt64> {
            batch.append(id: Self.id(number), fields: [])
            if number == 2 { batch.refuse(StageFailure("delivered too often")) }
            if number == 3 { batch.refuse(StageFailure("a value is too large"), isPartial: true) }
        }
        batch.prepareCells(fieldCount: 1)
        batch.withEvent(at: 0) { $0.fail(StageFailure("failed later")) }
        _ = batch.appendElements(of: 2, count: 2)
        let partial = (0..<6).map { index in batch.withEvent(at: index) { $0.isPartial } }
        #expect(partial == [false, false, true, false, true, true])
    }
}
