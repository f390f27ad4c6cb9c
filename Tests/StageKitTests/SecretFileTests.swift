import StageKit
import Testing

@Suite struct SecretFileTests {
    @Test("A final line feed is not part of the secret; empty and non-text files are refused")
    func text() throws {
        #expect(try SecretFile.text(Array("pass word\r\n".utf8)[...], "f") == "pass word")
        #expect(try SecretFile.text(Array("p".utf8)[...], "f") == "p")
        for bytes: [UInt8] in [[], [0x0A], [0xFF]] {
            let error = #expect(throws: SecretFile.Unreadable.self) { try SecretFile.text(bytes[...], "f") }
            #expect(error?.description.hasPrefix("f: it is ") == true)
        }
    }

    @Test(
        "A byte order mark, blanks and white space at the ends are reported",
        arguments: [
            (Array("\u{FEFF}secret\n".utf8), "f: it begins with a byte order mark: save it as UTF-8 without one"),
            ([0xFF, 0xFE, 0x73, 0x00], "f: it begins with a byte order mark: save it as UTF-8 without one"),
            (Array("  \t\n".utf8), "f: it is blank"),
            (Array("secret \n".utf8), "f: it begins or ends with white space: remove it"),
            (Array("\tsecret".utf8), "f: it begins or ends with white space: remove it"),
            (Array("secret\u{A0}".utf8), "f: it begins or ends with white space: remove it"),
        ])
    func whiteSpace(bytes: [UInt8], message: String) {
        let error = #expect(throws: SecretFile.Unreadable.self) { try SecretFile.text(bytes[...], "f") }
        #expect(error?.description == message)
    }

    @Test("A missing file, a directory and an endless file are refused")
    func unreadable() {
        for (path, words) in [
            ("/nonexistent/secret", "cannot open it"), ("/", "cannot read it"), ("/dev/zero", "it has more than"),
        ] {
            let error = #expect(throws: SecretFile.Unreadable.self) { try SecretFile.read(path) }
            #expect(error?.description.hasPrefix("\(path): \(words)") == true, "\(error?.description ?? "")")
        }
    }
}
