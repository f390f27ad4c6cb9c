import StageKit
import Testing

@Suite struct EventBatchTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static func batch(_ count: Int) -> EventBatch {
        let batch = EventBatch()
        for index in 0..<count {
            batch.append(
                id: EntryID(milliseconds: UInt64(index), sequence: 0),
                fields: [(bytes("name"), bytes("value \(index)")), (bytes("empty"), [])])
        }
        return batch
    }

    @Test("Entries keep their order, fields and bytes, however many there are", arguments: [0, 1, 127, 128, 129, 5000])
    func entries(count: Int) {
        let batch = Self.batch(count)
        #expect(batch.count == count)
        #expect(batch.lastID == (count == 0 ? nil : EntryID(milliseconds: UInt64(count - 1), sequence: 0)))
        for index in 0..<count {
            let (fields, name, value) = batch.withEvent(at: index) { event in
                let first = event.rawField(at: 0)
                return (event.rawFieldCount, event.text(first.name), event.text(first.value))
            }
            #expect(fields == 2)
            #expect(name == "name")
            #expect(value == "value \(index)")
        }
    }

    @Test("Values belong to their event and field, and can be set, copied and removed")
    func values() {
        let batch = Self.batch(3)
        batch.prepareCells(fieldCount: 2)
        let names = GraphNames()
        let (first, second) = (names.provide("first"), names.provide("second"))
        batch.withEvent(at: 1) { event in
            let range = event.rawField(at: 0).value
            event.set(first, range: range)
            event.set(second, integer: -5, range: range)
        }
        let untouched = batch.withEvent(at: 0) { $0.text(of: first) }
        #expect(untouched == nil)
        let seen = batch.withEvent(at: 1) { event in
            (event.text(of: first), event.integer(of: first), event.integer(of: second), event.text(of: second))
        }
        #expect(seen == ("value 1", nil, -5, "value 1"))
        let (isEqual, isOther) = batch.withEvent(at: 1) { event in
            (event.value(of: first, equals: Self.bytes("value 1")), event.value(of: first, equals: Self.bytes("value")))
        }
        #expect(isEqual && !isOther)
        let changed = batch.withEvent(at: 1) { event in
            event.set(first, copying: Self.bytes("new"))
            event.remove(second)
            return (event.text(of: first), event.text(of: second))
        }
        #expect(changed == ("new", nil))
    }

    @Test("An empty value is a value")
    func emptyValue() {
        let batch = Self.batch(1)
        batch.prepareCells(fieldCount: 1)
        let field = GraphNames().provide("empty")
        let value = batch.withEvent(at: 0) { event in
            event.set(field, range: event.rawField(at: 1).value)
            return event.text(of: field)
        }
        #expect(value == "")
    }

    @Test("Effects keep their order, up to the limit")
    func effects() {
        let batch = Self.batch(1)
        batch.prepareCells(fieldCount: 0)
        let names = GraphNames()
        let ids = (0..<10).map { names.effect("effect \($0)") }
        let recorded = batch.withEvent(at: 0) { event in
            for id in ids { event.record(id) }
            return event.effects
        }
        #expect(recorded == Array(ids.prefix(Event.effectLimit)))
    }

    @Test("A reused batch keeps nothing of its previous content")
    func reuse() {
        let batch = Self.batch(10)
        batch.prepareCells(fieldCount: 1)
        let names = GraphNames()
        let field = names.provide("field")
        batch.withEvent(at: 0) { event in
            event.set(field, range: event.rawField(at: 0).value)
            event.record(names.effect("effect"))
            event.settle(.skipped, names.reason("reason"))
            event.fail(StageFailure("broken"))
        }
        batch.removeAll()
        #expect(batch.isEmpty)
        batch.append(id: EntryID(milliseconds: 99, sequence: 0), fields: [])
        batch.prepareCells(fieldCount: 1)
        let (value, effects, hasSettled, failure, count) = batch.withEvent(at: 0) { event in
            (event.text(of: field), event.effects, event.settled != nil, event.failure, event.rawFieldCount)
        }
        #expect(value == nil && effects.isEmpty && !hasSettled && failure == nil && count == 0)
    }

    @Test("Names are positional until an entry is added or the batch is cleared")
    func alike() {
        let changes: [@Sendable (EventBatch) -> Void] = [
            { $0.appendEntry(.max) }, { _ = unsafe $0.appendEntry(.max, fieldCount: 0) },
            { $0.append(id: .max, fields: []) },
            { $0.appendField(name: ByteRange(offset: 0, length: 0), value: ByteRange(offset: 0, length: 0)) },
            { $0.appendCopy(of: Self.batch(1), at: 0) },
            { batch in
                batch.removeAll()
                batch.append(id: .max, fields: [])
            },
        ]
        for change in changes {
            let batch = Self.batch(2)
            #expect(batch.withEvent(at: 0) { event in !event.namesGoByPosition })
            batch.markNamesByPosition()
            #expect(batch.withEvent(at: 1) { event in event.namesGoByPosition })
            change(batch)
            #expect(batch.withEvent(at: 0) { event in !event.namesGoByPosition })
        }
    }

    @Test("Entries up to the one that the source names are known to be finished, until the batch is filled again")
    func finished() {
        let batch = Self.batch(4)
        func known() -> [Bool] { (0..<batch.count).map { index in batch.withEvent(at: index) { $0.isKnownFinished } } }
        #expect(known() == [false, false, false, false])
        batch.finishedUpTo = EntryID(milliseconds: 1, sequence: .max)
        #expect(known() == [true, true, false, false])
        batch.finishedUpTo = EntryID(milliseconds: 2, sequence: 0)
        #expect(known() == [true, true, true, false])
        batch.removeAll()
        batch.append(id: .zero, fields: [])
        #expect(known() == [false])
    }

    @Test("Each event has its own failure")
    func failures() {
        let batch = Self.batch(3)
        batch.prepareCells(fieldCount: 0)
        for index in [2, 0] { batch.withEvent(at: index) { $0.fail(StageFailure("failure of \(index)")) } }
        let messages = (0..<3).map { index in batch.withEvent(at: index) { $0.failure?.message } }
        #expect(messages == ["failure of 0", nil, "failure of 2"])
    }
}
