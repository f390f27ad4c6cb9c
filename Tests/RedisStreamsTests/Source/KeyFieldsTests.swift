import DecodeStage
import JSON
import RESP
import StageKit
import StageTestKit
import Testing

@testable import RedisStreams

@Suite struct KeyFieldsTests {
    /// The values of the declared fields, or `nil` if the document is refused.
    typealias Values = [String: String]?

    private static let keys: KeyBootstrap = {
        var keys = KeyBootstrap(match: "session:*")
        keys.form = .json
        keys.keyField = "key"
        return keys
    }()

    private static let declared = ["id", "status", "key"]

    /// What `decode` with `json` reads from an entry that holds the document.
    private static func decoded(_ document: [UInt8]) throws -> Values {
        let settings: SettingNode = [
            "json": "payload", "unknown_fields": "ignore",
            "fields": .mapping(self.declared.map { ($0, [:]) }),
        ]
        let harness = try StageHarness(DecodeStage.self, settings)
        return self.values(of: harness.process([SampleEntry(bytes: [(Array("payload".utf8), document)])])[0])
    }

    /// What `decode` reads from the entry that a key with the document becomes.
    private static func read(_ document: [UInt8]) throws -> Values {
        guard let fields = KeyFields.fields(of: .bulk(document), key: Array("session:k".utf8), self.keys) else {
            return nil
        }
        let settings: SettingNode = [
            "unknown_fields": "ignore",
            "fields": .mapping(self.declared.map { ($0, [:]) }),
        ]
        return self.values(of: try StageHarness(DecodeStage.self, settings).process([SampleEntry(bytes: fields)])[0])
    }

    private static func values(of report: EventReport) -> Values {
        guard report.failure == nil else { return nil }
        var values: [String: String] = [:]
        for name in self.declared where name != "key" { values[name] = report.text(name) }
        return values
    }

    @Test(
        "A JSON document means the same as the value of a key and as the payload of an entry",
        arguments: [
            (#"{"id":"a","status":"active"}"#, ["id": "a", "status": "active"]),
            (#"{"id":18446744073709551615}"#, ["id": "18446744073709551615"]),
            (#"{"id":18446744073709551614}"#, ["id": "18446744073709551614"]),
            (#"{"id":123456789012345678901234567890}"#, ["id": "123456789012345678901234567890"]),
            (#"{"id":1.10,"status":1.0}"#, ["id": "1.10", "status": "1.0"]),
            (#"{"id":1e3,"status":-0}"#, ["id": "1e3", "status": "-0"]),
            (#"{"id":1E400,"status":0.1e-7}"#, ["id": "1E400", "status": "0.1e-7"]),
            (#"{"id":true,"status":false}"#, ["id": "true", "status": "false"]),
            (#"{"id":null,"status":"null"}"#, ["status": "null"]),
            (#"{"id":"a","status":"active","status":"revoked"}"#, ["id": "a", "status": "revoked"]),
            (#"{"id":"a","\u0069d":"b"}"#, ["id": "b"]),
            (#"{"id":"a","id":null}"#, [:]),
            (#"{"id":null,"id":"a"}"#, ["id": "a"]),
            (#"{"id":"tab\t\u00e9\uD83D\uDE00\/"}"#, ["id": "tab\té😀/"]),
            (#"{"id":"","status":" "}"#, ["id": "", "status": " "]),
            (#"{"id":"a","other":{"id":"b","list":[1,{"id":2}]}}"#, ["id": "a"]),
            ("{}", [:]), (" {\n\"id\" : \"a\" }\r\n", ["id": "a"]),
            ("{\"id\":\"a\",}", nil), ("\u{FEFF}{\"id\":\"a\"}", nil), ("{\"id\":\"a\"} x", nil),
            ("{\"id\":01}", nil), ("{\"id\":+1}", nil), ("{\"id\":.5}", nil), ("{\"id\":1.}", nil),
            ("{\"id\":NaN}", nil), ("{\"id\":'a'}", nil), ("{id:\"a\"}", nil), ("{\"id\":\"a\" /* b */}", nil),
            (#"{"id":"\uD800"}"#, nil), (#"{"id":"\x41"}"#, nil), ("{\"id\":\"\n\"}", nil), ("{\"id\":\"a\"", nil),
            ("[]", nil), ("\"id\"", nil), ("null", nil), ("", nil), ("1", nil),
            ("{\"a\":" + String(repeating: "[", count: 63) + String(repeating: "]", count: 63) + "}", [:]),
            ("{\"a\":" + String(repeating: "[", count: 64) + String(repeating: "]", count: 64) + "}", nil),
        ] as [(String, [String: String]?)])
    func agreement(document: String, values: [String: String]?) throws {
        #expect(try Self.decoded(Array(document.utf8)) == values)
        #expect(try Self.read(Array(document.utf8)) == values)
    }

    @Test("A document that is not UTF-8, or longer than 16 MiB, is refused by both")
    func bytes() throws {
        let notUTF8 = Array("{\"id\":\"".utf8) + [0xFF] + Array("\"}".utf8)
        #expect(try Self.decoded(notUTF8) == nil)
        #expect(try Self.read(notUTF8) == nil)
        for (size, isRead) in [(JSONScanner.sizeLimit, true), (JSONScanner.sizeLimit + 1, false)] {
            let document = Array("{}".utf8) + [UInt8](repeating: UInt8(ascii: " "), count: size - 2)
            #expect(try (Self.decoded(document) != nil) == isRead)
            #expect(try (Self.read(document) != nil) == isRead)
        }
    }

    @Test("A nested value keeps its JSON text, and the key's own part of its name is a field")
    func nested() throws {
        let document = Array(#"{"a": {"b" : [1.10, "\u0041"]} ,"c":[],"d":null}"#.utf8)
        let fields = try #require(KeyFields.fields(of: .bulk(document), key: Array("session:k-1".utf8), Self.keys))
        let texts = fields.map {
            [String(decoding: $0.name, as: UTF8.self), String(decoding: $0.value, as: UTF8.self)]
        }
        #expect(texts == [["key", "k-1"], ["a", #"{"b" : [1.10, "\u0041"]}"#], ["c", "[]"]])
    }
}
