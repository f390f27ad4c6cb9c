import StageKit
import Testing

@testable import SnapshotStores

@Suite struct RoundTripTests {
    @Test(
        "Numbers keep the bytes they were written with",
        arguments: [
            (0, "0"), (5, "+5"), (5, " 5 "), (5, "005"), (-5, "-5"), (0, "-0"), (.min, "-9223372036854775808"),
            (.max, "9223372036854775807"), (1_700_000_000_000, "1700000000000"), (7, ""), (12, "2"), (2, "12"),
        ] as [(Int64, String)])
    func numbers(integer: Int64, text: String) throws {
        let harness = Harness()
        _ = try harness.upsert(Harness.entry(1), [.text("k"), .absent, .absent, .integer(integer, text: text)])
        let snapshot = try #require(harness.store.snapshot(for: "k"))
        #expect(snapshot["revoked_at_ms"] == text)
        #expect(snapshot.integer("revoked_at_ms") == integer)
        #expect(harness.store.check("k", harness.store.condition("revoked_at_ms", equals: text)) == true)
        #expect(harness.store.check("k", harness.store.condition("revoked_at_ms", equals: text + "0")) == false)
    }

    @Test(
        "Keys of any bytes and lengths are distinguished",
        arguments: [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33, 127, 128, 20_000])
    func binaryKeys(length: Int) throws {
        let harness = Harness()
        let key = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        _ = try harness.upsert(Harness.entry(1), [.bytes(key), .text("mine")])
        #expect(harness.store.snapshot(for: key.span)?.key == key)
        #expect(harness.store.snapshot(for: key.span)?["user"] == "mine")
        #expect(harness.store.snapshot(for: (key + [0]).span) == nil)
        for index in [0, length / 2, length - 1] where length > 0 {
            var other = key
            other[index] ^= 0x80
            #expect(harness.store.snapshot(for: other.span) == nil)
        }
    }

    @Test("A key that was decoded as a number keeps its text and its number")
    func integerKey() throws {
        let harness = Harness()
        _ = try harness.upsert(Harness.entry(1), [.integer(42, text: "042"), .text("u")])
        let expected = Snapshot(
            entryID: Harness.entry(1), key: Array("042".utf8),
            fields: [
                .init(name: "id", bytes: Array("042".utf8), integer: 42), .init(name: "user", bytes: Array("u".utf8)),
            ])
        #expect(harness.store.snapshot(for: "042") == expected)
        #expect(harness.store.snapshot(for: "42") == nil)
    }

    @Test("A record that grows, shrinks or loses fields is always the last one written")
    func sizesChange() throws {
        let harness = Harness()
        for (step, length) in [1, 60, 50, 5000, 4900, 10, 0, 127, 128, 60_000, 1].enumerated() {
            let user = [UInt8](repeating: UInt8(step), count: length)
            let status: Harness.Value = step.isMultiple(of: 2) ? .absent : .text("active")
            _ = try harness.upsert(Harness.entry(UInt64(step)), [.text("k"), .bytes(user), status])
            let snapshot = try #require(harness.store.snapshot(for: "k"))
            #expect(
                snapshot.fields.map(\.name) == (step.isMultiple(of: 2) ? ["id", "user"] : ["id", "user", "status"]))
            #expect(snapshot.fields[1].bytes == user)
        }
        #expect(harness.store.count == 1)
    }

    @Test("Writers with other columns share a store; their fields keep their names")
    func severalWriters() throws {
        let harness = Harness()
        let other = harness.store.makeWriter(
            key: FieldID(index: 1), fields: [("status", FieldID(index: 0)), ("note", FieldID(index: 2))])
        _ = try harness.upsert("a", 1)
        _ = try Harness.withEvent(harness.batch, Harness.entry(2), [.text("s"), .text("b"), .text("n")]) {
            try other.upsert($0)
        }
        #expect(harness.store.snapshot(for: "a")?["status"] == "active")
        #expect(harness.store.snapshot(for: "b")?["status"] == "s")
        #expect(harness.store.snapshot(for: "b")?["note"] == "n")
    }
}
