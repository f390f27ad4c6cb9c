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
    func allocations() throws {
        let memory = RecordMemory(bytes: 8 << 20)
        var allocations = RecordMemory.Allocations()
        let small = SizeClass(bytes: 100)
        let large = SizeClass(bytes: 5000)
        let taken = try (0..<1000).map { index in
            let location = memory.take(index.isMultiple(of: 3) ? large : small, from: &allocations)
            return try #require(location)
        }
        var ends = 0
        for location in taken.sorted(by: { $0.unit < $1.unit }) {
            #expect(location.unit >= ends && location.unit > 0)
            let isCommitted = memory.isCommitted(location)
            #expect(isCommitted)
            ends = Int(location.unit) + location.sizeClass.units
        }
        #expect(allocations.usedBytes == 334 * large.capacity + 666 * small.capacity)
        for location in taken { memory.giveBack(location, to: &allocations) }
        #expect(allocations.usedBytes == 0)
        let again = (0..<334).compactMap { _ in memory.take(large, from: &allocations) }
        #expect(Set(again.map(\.unit)) == Set(taken.filter { $0.sizeClass == large }.map(\.unit)))
        memory.removeAll(&allocations)
        #expect(allocations.usedBytes == 0)
        let location = memory.take(small, from: &allocations)
        let first = try #require(location)
        #expect(first.unit == 1)
        let word = memory.words(of: first)[0]
        #expect(word == 0)
    }

    @Test("Places never exceed the memory, and none is allocated in part")
    func exhausted() {
        let memory = RecordMemory(bytes: 4 << 20)
        var allocations = RecordMemory.Allocations()
        let sizeClass = SizeClass(bytes: 100_000)
        var taken: [RecordLocation] = []
        while let location = memory.take(sizeClass, from: &allocations) { taken.append(location) }
        #expect(taken.count == (4 << 20) / sizeClass.capacity)
        let areCommitted = taken.allSatisfy { memory.isCommitted($0) }
        #expect(areCommitted)
        // What is left at the end serves smaller ones.
        let small = memory.take(SizeClass(bytes: 100), from: &allocations)
        #expect(small != nil)
        memory.giveBack(taken[0], to: &allocations)
        let again = memory.take(sizeClass, from: &allocations)
        #expect(again == taken[0])
    }
}
