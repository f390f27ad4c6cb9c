import StageKit
import Testing

@testable import SnapshotStores

@Suite struct RecordBufferTests {
    /// A code as it is written.
    private static func code(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + self.code(value >> 7)
    }

    private static func little(_ value: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    @Test("Written bytes are stored unchanged, whatever their length, followed by zeros")
    func bytes() throws {
        var generator = SplitMix64(state: 5)
        var buffer = unsafe RecordBuffer(limit: 100_000)
        defer { unsafe buffer.free() }
        for round in 0..<400 {
            func text(_ length: Int) -> [UInt8] { (0..<length).map { _ in .random(in: 0...255, using: &generator) } }
            #expect(unsafe buffer.reserve(1200))
            var pen = unsafe buffer.pen
            unsafe pen.write(3, 4, fields: 2, marks: 9)
            var expected = Self.little(3) + Self.little(4) + [2, 9]
            for integer in [-5, Int64(round)] {
                let value = text(Int.random(in: 0...round, using: &generator))
                unsafe pen.write(byte: UInt8(round & 0xFF))
                unsafe pen.write(code: value.count << 2)
                unsafe pen.write(integer: integer)
                unsafe value.withUnsafeBufferPointer { unsafe pen.write($0) }
                expected += [UInt8(round & 0xFF)] + Self.code(value.count << 2) + Self.little(integer) + value
            }
            let padding = [UInt8](repeating: 0, count: (16 - expected.count % 16) % 16)
            #expect(unsafe buffer.end(pen) == expected.count)
            #expect(unsafe [UInt8](buffer.padded) == expected + padding)
        }
    }

    @Test("Memory grows up to the limit and is kept")
    func limit() throws {
        var buffer = unsafe RecordBuffer(limit: 5000)
        defer { unsafe buffer.free() }
        #expect(unsafe !buffer.reserve(5001))
        for size in [5000, 1, 5000] {
            #expect(unsafe buffer.reserve(size))
            var pen = unsafe buffer.pen
            #expect(unsafe pen.hasRoom(size))
            for index in 0..<size { unsafe pen.write(byte: UInt8(truncatingIfNeeded: index)) }
            #expect(unsafe buffer.end(pen) == size)
            #expect(unsafe buffer.padded.count == (size + 15) / 16 * 16)
            #expect(unsafe buffer.padded[size - 1] == UInt8(truncatingIfNeeded: size - 1))
        }
    }

    @Test("Bytes are stored as words, padded with zeros", arguments: 0..<40)
    func store(length: Int) throws {
        let memory = RecordMemory(bytes: 2 << 20)
        var allocations = RecordMemory.Allocations()
        let location = try #require(memory.take(SizeClass(bytes: 64), from: &allocations))
        let words = memory.words(of: location)
        for index in 0..<words.count { words[index] = .max }
        let bytes = (0..<length).map { UInt8($0 + 1) }
        unsafe bytes.withUnsafeBytes { unsafe words.store($0) }
        let stored = (0..<64).map { UInt8(truncatingIfNeeded: words[$0 / 8].littleEndian >> (8 * UInt64($0 % 8))) }
        let end = (length + 7) / 8 * 8
        #expect(stored == bytes + Array(repeating: 0, count: end - length) + Array(repeating: 255, count: 64 - end))
    }
}
