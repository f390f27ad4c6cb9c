import StageKit
import Testing

@Suite struct FNV1aTests {
    /// From the authors' test vectors.
    @Test(
        "The hash is that of the reference",
        arguments: [
            ("", 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("foobar", 0x8594_4171_F739_67E8),
        ] as [(String, UInt64)])
    func vectors(text: String, value: UInt64) {
        var hash = FNV1a()
        hash.combine(text)
        #expect(hash.value == value)
        var bytes = FNV1a()
        bytes.combine(Array(text.utf8).span)
        #expect(bytes == hash)
    }

    @Test("Parts have another hash than their concatenation")
    func parts() {
        func hash(_ parts: String...) -> UInt64 {
            var hash = FNV1a()
            for part in parts {
                hash.combine(part)
                hash.endPart()
            }
            return hash.value
        }
        #expect(Set([hash("ab"), hash("a", "b"), hash("", "ab"), hash("ab", ""), hash("b", "a")]).count == 5)
    }
}
