import StageKit
import Testing

@testable import Admin

@Suite struct SnapshotJSONTests {
    @Test(
        "A snapshot is one line with fields in order, exact numbers, and other bytes as base64",
        arguments: [
            ([], "ds-1", #""key":"ds-1","entry":"5-1","fields":{}"#),
            (
                [Snapshot.Field(name: "z", bytes: Array("1".utf8)), Snapshot.Field(name: "a", bytes: [])], "k",
                #""key":"k","entry":"5-1","fields":{"z":"1","a":""}"#
            ),
            (
                [
                    Snapshot.Field(name: "max", bytes: Array("x".utf8), integer: .max),
                    Snapshot.Field(name: "min", bytes: [], integer: .min),
                ], "k", #""key":"k","entry":"5-1","fields":{"max":9223372036854775807,"min":-9223372036854775808}"#
            ),
            (
                [Snapshot.Field(name: "raw", bytes: [0xFF, 0x00])], "k",
                #""key":"k","entry":"5-1","fields":{"raw_b64":"/wA="}"#
            ),
            (
                [Snapshot.Field(name: "q\"", bytes: Array("\"\\/\n\r\t\u{0}\u{1F}\u{7F}é\u{2028}😀".utf8))], "k",
                "\"key\":\"k\",\"entry\":\"5-1\",\"fields\":{\"q\\\"\":"
                    + "\"\\\"\\\\/\\n\\r\\t\\u0000\\u001f\\u007fé\\u2028😀\"}"
            ),
        ] as [([Snapshot.Field], String, String)])
    func text(fields: [Snapshot.Field], key: String, expected: String) {
        let snapshot = Snapshot(
            entryID: EntryID(milliseconds: 5, sequence: 1), key: Array(key.utf8), fields: fields)
        #expect(SnapshotJSON.text(snapshot) == "{\(expected)}")
    }

    @Test("A field has the form of its type in the graph, unless its text is not of the type")
    func types() {
        let values: [(name: String, text: String)] = [
            ("price", "31.50"), ("open", "1"), ("at", "1700000000"), ("tags", #"["a"]"#), ("bad", "x"), ("note", "5"),
        ]
        let snapshot = Snapshot(
            entryID: EntryID(milliseconds: 5, sequence: 1), key: Array("k".utf8),
            fields: values.map { Snapshot.Field(name: $0.name, bytes: Array($0.text.utf8)) })
        let types: [String: FieldType] = [
            "price": .double, "open": .bool, "at": .timestamp(.seconds), "tags": .json, "bad": .double,
        ]
        let members = #""price":31.50,"open":true,"at":"2023-11-14T22:13:20Z","tags":["a"],"bad":"x","note":"5""#
        #expect(
            SnapshotJSON.text(snapshot, types: types) == #"{"key":"k","entry":"5-1","fields":{\#(members)}}"#)
    }

    @Test("A key that is not UTF-8 is in key_b64, also if its bytes are a surrogate or truncated")
    func key() {
        for (bytes, base64) in [([0xFF], "/w=="), ([0xED, 0xA0, 0x80], "7aCA"), ([0xC3], "ww==")] as [([UInt8], String)]
        {
            let text = SnapshotJSON.text(Snapshot(entryID: .zero, key: bytes, fields: []))
            #expect(text == #"{"key_b64":"\#(base64)","entry":"0-0","fields":{}}"#)
        }
    }
}
