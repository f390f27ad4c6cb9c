import StageKit
import Testing

@testable import SnapshotStores

@Suite struct MemoryTests {
    @Test("Reserved memory is zero when committed and after it was given back, and stays usable")
    func reserved() {
        let step = 64 << 10
        let memory = ReservedMemory(size: 4 * step, step: step)
        let (size, isCommitted) = (memory.size, memory.commit(step..<3 * step))
        #expect(size == 4 * step)
        #expect(isCommitted)
        let words = memory.words.extracting(step / SharedWords.stride, 2 * step / SharedWords.stride)
        #expect((0..<words.count).allSatisfy { words[$0] == 0 })
        for index in 0..<words.count { words[index] = UInt64(index) }
        #expect((0..<words.count).allSatisfy { words[$0] == UInt64($0) })
        memory.discard(step..<3 * step)
        #expect((0..<words.count).allSatisfy { words[$0] == 0 })
        words[7] = 7
        #expect(words[7] == 7)
    }

    @Test(
        "With a limited address space, less is reserved, in whole steps",
        arguments: [(Int.max, 1 << 30), (1 << 30, 1 << 28), (40 << 20, 10 << 20), (4 << 20, 0), (0, 0)])
    func allowance(limit: Int, expected: Int) {
        let memory = ReservedMemory(size: 1 << 30, step: 2 << 20, limit: limit)
        let size = memory.size
        #expect(size == expected)
    }

    @Test("Places are distinct, reused by class, and released together")
    func places() throws {
        let memory = RecordMemory(bytes: 8 << 20)
        var places = RecordMemory.Places()
        let small = SizeClass(bytes: 100)
        let large = SizeClass(bytes: 5000)
        let taken = try (0..<1000).map { index in
            let place = memory.take(index.isMultiple(of: 3) ? large : small, from: &places)
            return try #require(place)
        }
        var ends = 0
        for place in taken.sorted(by: { $0.unit < $1.unit }) {
            #expect(place.unit >= ends && place.unit > 0)
            let isCommitted = memory.isCommitted(place)
            #expect(isCommitted)
            ends = Int(place.unit) + place.sizeClass.units
        }
        #expect(places.usedBytes == 334 * large.capacity + 666 * small.capacity)
        for place in taken { memory.giveBack(place, to: &places) }
        #expect(places.usedBytes == 0)
        let again = (0..<334).compactMap { _ in memory.take(large, from: &places) }
        #expect(Set(again.map(\.unit)) == Set(taken.filter { $0.sizeClass == large }.map(\.unit)))
        memory.removeAll(&places)
        #expect(places.usedBytes == 0)
        let place = memory.take(small, from: &places)
        let first = try #require(place)
        #expect(first.unit == 1)
        let word = memory.words(of: first)[0]
        #expect(word == 0)
    }

    @Test("Places never exceed the memory, and none is allocated in part")
    func exhausted() {
        let memory = RecordMemory(bytes: 4 << 20)
        var places = RecordMemory.Places()
        let sizeClass = SizeClass(bytes: 100_000)
        var taken: [RecordPlace] = []
        while let place = memory.take(sizeClass, from: &places) { taken.append(place) }
        #expect(taken.count == (4 << 20) / sizeClass.capacity)
        let areCommitted = taken.allSatisfy { memory.isCommitted($0) }
        #expect(areCommitted)
        // What is left at the end serves smaller ones.
        let small = memory.take(SizeClass(bytes: 100), from: &places)
        #expect(small != nil)
        memory.giveBack(taken[0], to: &places)
        let again = memory.take(sizeClass, from: &places)
        #expect(again == taken[0])
    }
}
