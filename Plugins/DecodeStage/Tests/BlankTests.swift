import StageKit
import StageTestKit
import Testing

@Suite struct BlankTests {
    @Test(
        "All Unicode white space is blank, alone and combined",
        arguments: [
            "", "\t", "\n", "\u{0B}", "\u{0C}", "\r", " ", "\u{85}", "\u{A0}", "\u{1680}", "\u{2000}", "\u{2001}",
            "\u{2002}", "\u{2003}", "\u{2004}", "\u{2005}", "\u{2006}", "\u{2007}", "\u{2008}", "\u{2009}", "\u{200A}",
            "\u{2028}", "\u{2029}", "\u{202F}", "\u{205F}", "\u{3000}",
        ])
    func blank(text: String) throws {
        for value in [text, " \(text)\t", "\u{3000}\(text)\(text)\u{85}"] {
            let report = try Sample.decode(["id": "a-1", "owner": value])
            #expect(report.failureMessage == "decode account event: owner must not be empty")
        }
    }

    @Test(
        "A value that only looks empty is not blank",
        arguments: [
            [0xE2, 0x80, 0x8B], [0xEF, 0xBB, 0xBF], [0xE1, 0xA0, 0x8E], [0xE2, 0x81, 0xA0], [0xE2, 0xA0, 0x80],
            [0x00], [0x1C], [0x1D], [0x1E], [0x1F], [0x85], [0xA0], [0xC2], [0xE2, 0x80], [0xE3, 0x80],
            [0xC0, 0xA0], [0xE0, 0x80, 0xA0], [0x20, 0xA0, 0x20],
        ] as [[UInt8]])
    func notBlank(bytes: [UInt8]) throws {
        let report = try Sample.decode(bytes: [(Array("id".utf8), bytes), (Array("owner".utf8), bytes)])
        #expect(report.ending == .next)
        #expect(report.values["owner"]?.bytes == bytes)
    }
}
