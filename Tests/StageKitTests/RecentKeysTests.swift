import Testing

@testable import StageKit

@Suite struct RecentKeysTests {
    /// A key whose place in the table is chosen, so that keys meet there.
    private func key(_ number: Int, at home: Int = 0) -> EventKey {
        EventKey(high: UInt64(number), low: UInt64(home))
    }

    @Test("A key is found with its value until the limit of newer keys is reached")
    func forgetting() {
        var keys = RecentKeys<Int>(limit: 3)
        for number in 1...3 { keys.insert(self.key(number), number * 10) }
        #expect((1...3).map { keys.index(of: self.key($0)).map { keys[$0] } } == [10, 20, 30])
        keys.insert(self.key(4), 40)
        #expect((1...4).map { keys.index(of: self.key($0)).map { keys[$0] } } == [nil, 20, 30, 40])
        #expect(keys.oldest == 20)
        #expect(keys.count == 3)
    }

    @Test("An unknown key is not found, and a value can be changed in place")
    func emptyAndChange() {
        var keys = RecentKeys<Int>(limit: 2)
        #expect(keys.index(of: self.key(1)) == nil)
        #expect(keys.oldest == nil)
        keys.insert(self.key(1), 1)
        if let index = keys.index(of: self.key(1)) { keys[index] = 7 }
        #expect(keys.oldest == 7)
        keys.removeOldest()
        #expect(keys.index(of: self.key(1)) == nil)
        #expect(keys.count == 0)
    }

    @Test(
        "It holds the same keys as a plain list of the last keys, however they collide in the table",
        arguments: [(1, 1), (2, 2), (7, 3), (100, 1), (100, 64), (300, 1000)])
    func model(limit: Int, homes: Int) {
        var generator = SplitMix64(state: UInt64(limit * 1000 + homes))
        var keys = RecentKeys<Int>(limit: limit)
        var model: [(key: EventKey, value: Int)] = []
        // One expectation for all steps: evaluating one for each would take most of the time.
        var wrong: [Int] = []
        for step in 0..<5000 {
            let number = Int(generator.next() % UInt64(limit * 2))
            let key = self.key(number, at: number % homes)
            let found = keys.index(of: key).map { keys[$0] }
            if found != model.first(where: { $0.key == key })?.value { wrong.append(step) }
            if found == nil {
                keys.insert(key, step)
                model.append((key, step))
                if model.count > limit { model.removeFirst() }
            } else if generator.next() % 4 == 0 {
                keys.removeOldest()
                model.removeFirst()
            }
            if keys.count != model.count || keys.oldest != model.first?.value { wrong.append(step) }
        }
        #expect(wrong.isEmpty)
    }

    @Test("A key distinguishes values and absent fields, and is the same for the same values")
    func eventKeys() {
        let names = GraphNames()
        let fields = [names.provide("a"), names.provide("b")]
        let batch = EventBatch()
        for id in 1...6 { batch.append(id: EntryID(milliseconds: UInt64(id), sequence: 0), fields: []) }
        batch.prepareCells(fieldCount: 2)
        let values: [[String?]] = [["ab", "c"], ["a", "bc"], ["abc", nil], [nil, "abc"], [nil, nil], ["ab", "c"]]
        var prints: [EventKey?] = []
        for (index, pair) in values.enumerated() {
            batch.withEvent(at: index) { event in
                for (field, value) in zip(fields, pair) {
                    if let value { event.set(field, copying: Array(value.utf8)) }
                }
                prints.append(event.key(of: fields))
            }
        }
        #expect(prints[4] == nil)
        #expect(prints[0] == prints[5])
        #expect(Set(prints.prefix(4)).count == 4)
    }
}
