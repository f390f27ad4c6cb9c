import StageKit
import Testing

@Suite struct BlankTests {
    @Test(
        "Only white space is blank",
        arguments: [
            "", " ", "\t\n\u{0B}\u{0C}\r ", "\u{85}", "\u{A0}", "\u{1680}", "\u{2000}\u{200A}", "\u{2028}\u{2029}",
            "\u{202F}", "\u{205F}", "\u{3000}", " \u{3000} ",
        ])
    func blank(text: String) {
        let isBlank = Blank.isBlank(Array(text.utf8).span)
        #expect(isBlank)
    }

    @Test(
        "Anything else is not",
        arguments: [
            Array("a".utf8), Array(" a ".utf8), Array("\u{200B}".utf8), Array("\u{FEFF}".utf8), Array("\u{180E}".utf8),
            Array("\u{2060}".utf8), Array("\u{2800}".utf8), [0], [0x1C], [0x1F], [0x85], [0xA0], [0xE2, 0x80],
            [0xC1, 0xA0], [0x20, 0xFF], [0xE3, 0x80],
        ] as [[UInt8]])
    func notBlank(bytes: [UInt8]) {
        let isBlank = Blank.isBlank(bytes.span)
        #expect(!isBlank)
    }
}
