import StageKit
import Testing

@testable import SnapshotStores

@Suite struct SlotLineTests {
    @Test("A line gives exactly the slots that have a hash's byte, in order, and its first empty slot")
    func matches() {
        var generator = SplitMix64(state: 3)
        // Few different ones, neighbours among them; byte 0 of a hash counts as 1.
        let bytes: [UInt64] = [0, 1, 2, 0x7F, 0x80, 0x81, 0xFF]
        for _ in 0..<Harness.rounds(400) {
            var tags = LineTags(word: 0)
            var held = [UInt64?](repeating: nil, count: LineTags.slots)
            for slot in held.indices where Bool.random(using: &generator) {
                let byte = bytes[Int.random(in: bytes.indices, using: &generator)]
                tags.set(slot, byte << 32)
                held[slot] = byte
            }
            if Bool.random(using: &generator) { tags.addPassed() }
            for byte in UInt64(0)...0xFF {
                var found: [Int] = []
                var matches = tags.matches(byte << 32 | generator.next() & ~(0xFF << 32))
                while let slot = matches.next() { found.append(slot) }
                let expected = held.indices.filter { held[$0].map { max($0, 1) } == max(byte, 1) }
                if found != expected { Issue.record("\(byte): \(found), not \(expected), in \(held)") }
            }
            #expect(tags.firstEmpty == held.firstIndex { $0 == nil })
        }
    }

    @Test("A line counts passing insertions, and saturates at the maximum")
    func passed() {
        var tags = LineTags(word: 0)
        for _ in 0..<254 { tags.addPassed() }
        for _ in 0..<254 { tags.removePassed() }
        #expect(!tags.isPassed)
        for _ in 0..<300 { tags.addPassed() }
        for _ in 0..<300 { tags.removePassed() }
        #expect(tags.isPassed)
        #expect(tags.firstEmpty == 0)
    }

    @Test("A slot's word returns its parts")
    func slots() {
        for unit in [1, 77, UInt32.max] {
            for number in [UInt8(1), 64, 65, 136] {
                let location = RecordLocation(unit: unit, sizeClass: SizeClass(number: number))
                let slot = Slot(hash: 0xABCD_EF01_2345_6789, location)
                #expect(slot.location == location)
                #expect(slot.matches(0xABCD_EFFF_FFFF_FFFF))
                #expect(!slot.matches(0xABCD_EE01_2345_6789))
            }
        }
    }
}
