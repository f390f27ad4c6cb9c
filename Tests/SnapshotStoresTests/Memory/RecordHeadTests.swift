import StageKit
import Testing

@testable import SnapshotStores

@Suite struct RecordHeadTests {
    /// Words that hold the head of a record and its key, and lend them to `body`.
    private static func withWords(
        _ key: [UInt8], count: UInt8, marks: UInt8, _ body: (SharedWords) throws -> Void
    ) throws {
        let memory = RecordMemory(bytes: 2 << 20)
        var allocations = RecordMemory.Allocations()
        let size = PackedRecord.headerSize + 1 + key.count
        let location = try #require(memory.take(SizeClass(bytes: size), from: &allocations))
        var buffer = unsafe RecordBuffer(limit: 1024)
        defer { unsafe buffer.free() }
        var pen = unsafe buffer.pen
        unsafe pen.write(1, 2, fields: count, marks: marks)
        unsafe pen.write(code: key.count)
        unsafe key.withUnsafeBufferPointer { unsafe pen.write($0) }
        #expect(unsafe buffer.end(pen) == size)
        unsafe memory.words(of: location).store(buffer.padded)
        try body(memory.words(of: location))
    }

    private static func head(_ key: [UInt8], _ words: SharedWords) -> RecordHead? {
        RecordHead(of: key.span, in: words)
    }

    @Test("A key is matched by all its bytes and its length", arguments: RecordHead.keyLengths)
    func keys(length: Int) throws {
        let key = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 5) }
        try Self.withWords(key, count: 3, marks: 0b101) { words in
            let head = try #require(Self.head(key, words))
            #expect(!head.isTrace && head.isMarked(1) && !head.isMarked(2) && head.isMarked(4))
            for index in key.indices {
                for bit in [1, 0x80] as [UInt8] {
                    var other = key
                    other[index] ^= bit
                    #expect(Self.head(other, words) == nil)
                }
            }
            for other in [key + [0], Array(key.dropLast()), key + key] where RecordHead.keyLengths ~= other.count {
                #expect(Self.head(other, words) == nil)
            }
        }
    }

    @Test("A trace is distinguished from a record, and setting marks changes nothing else")
    func marks() throws {
        let key = Array("a-session-key".utf8)
        try Self.withWords(key, count: PackedRecord.traceMark, marks: 0) { words in
            #expect(Self.head(key, words)?.isTrace == true)
        }
        try Self.withWords(key, count: 7, marks: 0xFF) { words in
            for marks in [0, 1, 0xFF, 0x80, 0] as [UInt8] {
                RecordHead.mark(words, marks)
                let head = try #require(Self.head(key, words))
                #expect((0..<8).allSatisfy { head.isMarked(1 << $0) == (marks >> $0 & 1 == 1) } && !head.isTrace)
                #expect(UInt8(truncatingIfNeeded: words[2]) == 7)
            }
        }
    }

    @Test("A key that would reach beyond the words does not match")
    func shortRecord() throws {
        let key = [UInt8](repeating: 1, count: 13)
        try Self.withWords(key, count: 1, marks: 0) { words in
            #expect(words.count == 4)
            #expect(Self.head(key, words) != nil)
            #expect(Self.head([UInt8](repeating: 1, count: 14), words) == nil)
        }
    }
}
