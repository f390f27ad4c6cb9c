import Testing
import YAML

@Suite struct YAMLScalarTests {
    @Test("Null follows the core schema", arguments: ["", "~", "null", "Null", "NULL"])
    func null(text: String) {
        #expect(YAMLScalar(text: text, isPlain: true).isNull)
        #expect(!YAMLScalar(text: text, isPlain: false).isNull)
    }

    @Test("Other text is not null", arguments: ["nil", "none", "nULL", "~~", " ", "0"])
    func notNull(text: String) {
        #expect(!YAMLScalar(text: text, isPlain: true).isNull)
    }

    @Test(
        "Only true and false are booleans",
        arguments: [
            ("true", true), ("True", true), ("TRUE", true), ("false", false), ("False", false), ("FALSE", false),
            ("yes", nil), ("no", nil), ("on", nil), ("off", nil), ("y", nil), ("tRUE", nil), ("1", nil), ("", nil),
        ] as [(String, Bool?)])
    func bool(text: String, expected: Bool?) {
        #expect(YAMLScalar(text: text, isPlain: true).bool == expected)
        #expect(YAMLScalar(text: text, isPlain: false).bool == nil)
    }

    @Test(
        "Integers are decimal, 0x and 0o, and must fit",
        arguments: [
            ("0", 0), ("-1", -1), ("+7", 7), ("007", 7), ("0x1F", 31), ("0xff", 255), ("0o17", 15), ("-0", 0),
            ("9223372036854775807", .max), ("-9223372036854775808", .min), ("9223372036854775808", nil),
            ("0x8000000000000000", nil), ("0x", nil), ("0o", nil), ("0o8", nil), ("0x-1", nil), ("0x+1", nil),
            ("-0x1", nil), ("0b1", nil), ("0X1", nil), ("1_000", nil), ("1.0", nil), ("1e3", nil), ("+", nil),
            ("", nil), (" 1", nil), ("١", nil), ("12:30", nil),
        ] as [(String, Int?)])
    func int(text: String, expected: Int?) {
        #expect(YAMLScalar(text: text, isPlain: true).int == expected)
        #expect(YAMLScalar(text: text, isPlain: false).int == nil)
    }
}
