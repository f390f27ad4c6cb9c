import Testing

@testable import SnapshotStores

@Suite struct SizeClassTests {
    @Test("A class fits every size it is chosen for, and wastes less than a unit or an eighth")
    func everySize() {
        var last = SizeClass(bytes: 1)
        var classes = 1
        var wrong: [Int] = []
        for size in 1...MemoryStore.Limits.recordBytesRange.upperBound {
            let sizeClass = SizeClass(bytes: size)
            let idle = sizeClass.capacity - size
            var isRight = idle >= 0 && idle < size / 8 + SizeClass.unit
            if sizeClass != last {
                classes += 1
                isRight =
                    isRight && sizeClass.number == last.number + 1 && last.capacity == size - 1
                    && sizeClass.units > last.units
            }
            if !isRight { wrong.append(size) }
            last = sizeClass
        }
        #expect(wrong.isEmpty)
        #expect(last == SizeClass.maximum)
        // The class number 0 is no record's.
        #expect(classes + 1 == SizeClass.count)
    }
}
