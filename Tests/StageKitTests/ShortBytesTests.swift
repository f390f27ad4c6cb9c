import Testing

@testable import StageKit

@Suite struct ShortBytesTests {
    @Test("Two values are equal if their bytes and lengths are", arguments: 0..<40)
    func equality(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
        let same = bytes
        #expect(Self.same(bytes, same))
        #expect(!Self.same(bytes, bytes + [0]) && !Self.same(bytes + [0], bytes))
        for index in bytes.indices {
            for bit in [1, 0x80] as [UInt8] {
                var other = bytes
                other[index] ^= bit
                #expect(!Self.same(bytes, other))
            }
        }
    }

    private static func same(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        let answer = left.span.hasSameBytes(as: right.span)
        return left.span.hasSameBytes(as: right) == answer && answer
    }

    @Test("A copy has the bytes and changes no others", arguments: 0..<80)
    func copy(count: Int) {
        let source = (0..<count).map { UInt8($0 &+ 1) }
        var target = [UInt8](repeating: 0xEE, count: count + 2)
        unsafe target.withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { source in
                guard let to = target.baseAddress, let from = source.baseAddress else { return }
                unsafe (to + 1).copyShort(from: from, count: count)
            }
        }
        #expect(target == [0xEE] + source + [0xEE])
    }
}
