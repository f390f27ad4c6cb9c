import ComponentKit
import CoreMetrics
import Logging
import StageKit
import Testing

@testable import SnapshotStores

@Suite struct StoreTypeTests {
    static func make(_ settings: [(String, String)]) -> (MemoryStore?, [String]) {
        let position = SettingPosition(line: 1, column: 1)
        let node = SettingNode(
            .mapping(
                settings.map {
                    .init(key: $0.0, position: position, value: SettingNode(.scalar($0.1, isPlain: true), at: position))
                }), at: position)
        let setup = ComponentSetup(
            name: "sessions", position: position, logger: Logger(label: "test"), metrics: NOOPMetricsHandler.instance,
            sections: [:])
        let store = MemoryStore.type.make(node, setup)
        return (store as? MemoryStore, setup.issues.all.map(\.message))
    }

    @Test("The type creates a store from its settings, with defaults for omitted ones")
    func settings() throws {
        #expect(MemoryStore.type.name == "memory")
        let plain = try #require(StoreTypeTests.make([("key", "device_session_id")]).0)
        #expect(plain.name == "sessions")
        #expect(plain.keyField == "device_session_id")
        #expect(plain.maxEntries == 10_000_000)
        #expect(plain.maxRecordBytes == 65_536)
        let full = [("key", "id"), ("max_entries", "5"), ("max_record_bytes", "1KiB")]
        let small = try #require(StoreTypeTests.make(full).0)
        #expect(small.maxEntries == 5)
        #expect(small.maxRecordBytes == 1024)
        #expect(plain.expiry == nil && small.expiry == nil)
    }

    @Test("A time to live, a field with a time, or both make snapshots expire")
    func expiry() throws {
        let byAge = try #require(StoreTypeTests.make([("key", "id"), ("ttl", "30d")]).0)
        #expect(byAge.expiry?.rule == ExpiryRule(timeToLive: 2_592_000_000) && byAge.expiryField == nil)
        let byField = try #require(StoreTypeTests.make([("key", "id"), ("expires", "until")]).0)
        #expect(byField.expiry?.rule == ExpiryRule(timeToLive: nil) && byField.expiryField?.text == "until")
        let both = try #require(StoreTypeTests.make([("key", "id"), ("expires", "until"), ("ttl", "1ms")]).0)
        #expect(both.expiry?.rule == ExpiryRule(timeToLive: 1) && both.expiryField?.text == "until")
        // A checkpoint holds the same under any of these settings.
        #expect(MemoryStore.type.bounds.isSuperset(of: ["expires", "ttl"]))
    }

    @Test(
        "Errors in the settings are reported",
        arguments: [
            ([], "memory: missing setting \"key\""),
            ([("key", " ")], "memory: key: must not be blank"),
            (
                [("key", "id"), ("max_entries", "0")],
                "memory: max_entries: 0 is out of range: it must be from 1 to 4294967296"
            ),
            (
                [("key", "id"), ("max_record_bytes", "1MiB")],
                "memory: max_record_bytes: 1MiB is out of range: it must be from 64 to 524288 bytes"
            ),
            ([("key", "id"), ("ttl", "0s")], "memory: ttl: 0s is too short: the minimum is 1ms"),
            (
                [("key", "id"), ("ttl", "5")],
                "memory: ttl: expected a duration such as 250ms, 5s or 2m, found \"5\""
            ),
            ([("key", "id"), ("expires", " ")], "memory: expires: must not be blank"),
        ] as [([(String, String)], String)])
    func mistakes(settings: [(String, String)], message: String) {
        let (store, issues) = StoreTypeTests.make(settings)
        #expect(store == nil)
        #expect(issues == [message])
    }
}
