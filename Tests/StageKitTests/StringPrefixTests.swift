import Testing

@testable import StageKit

@Suite struct StringPrefixTests {
    @Test(
        "A text is cut to a number of bytes, between two scalars",
        arguments: [
            ("", 0, ""), ("", 3, ""), ("abc", 3, "abc"), ("abc", 2, "ab"), ("abc", 0, ""),
            ("aéb", 1, "a"), ("aéb", 2, "a"), ("aéb", 3, "aé"), ("aéb", 4, "aéb"),
            ("€", 2, ""), ("€", 3, "€"), ("x🙂y", 4, "x"), ("x🙂y", 5, "x🙂"),
            // A letter with its accent as a scalar of its own.
            ("e\u{301}", 2, "e"), ("\r\n", 1, "\r"),
        ])
    func prefix(text: String, limit: Int, expected: String) {
        #expect(Array(text.prefix(bytes: limit).utf8) == Array(expected.utf8))
    }
}
