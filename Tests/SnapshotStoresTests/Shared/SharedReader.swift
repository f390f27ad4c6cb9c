import CSluiceLookup
import Foundation
import StageKit
import Testing

@testable import SnapshotStores

/// A directory for shared files, in memory if the machine offers that, which is removed with this value.
final class SharedDirectory {
    let directory: URL

    init() throws {
        let memory = URL(fileURLWithPath: "/dev/shm")
        let isUsable = FileManager.default.isWritableFile(atPath: memory.path)
        let base = isUsable ? memory : FileManager.default.temporaryDirectory
        self.directory = base.appendingPathComponent("sluice-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.directory, withIntermediateDirectories: false)
    }

    deinit {
        try? FileManager.default.removeItem(at: self.directory)
    }

    var path: String { self.directory.appendingPathComponent("sessions").path }

    func share(_ fields: [String], mode: Int = ShareSettings.defaultMode, group: String? = nil) -> StoreShare {
        Self.patient(ShareSettings(path: self.path, fields: fields, mode: mode, group: group))
    }

    /// A share whose heartbeat may be of any age: no test beats in time on a busy machine.
    static func patient(_ settings: ShareSettings) -> StoreShare {
        let share = StoreShare(settings, logger: nil)
        share.header[SharedLayout.Word.beatLimit] = UInt64(Int64.max)
        return share
    }

    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: self.directory.path).sorted() }
    }
}

/// A handle of the C library.
final class SharedReader {
    let handle: OpaquePointer

    init(_ path: String) throws {
        self.handle = try #require(sluice_lookup_open(path))
    }

    /// Reads bytes in memory, which must stay valid.
    init(attachedTo bytes: UnsafeRawBufferPointer, patience: Int64) throws {
        self.handle = try #require(sluice_lookup_attach(bytes.baseAddress, bytes.count, patience))
    }

    deinit {
        sluice_lookup_close(self.handle)
    }

    func ask(_ key: [UInt8], _ condition: String = "active") -> sluice_answer {
        sluice_lookup_ask(self.handle, key, key.count, sluice_lookup_condition(self.handle, condition))
    }

    func ask(_ key: String, _ condition: String = "active") -> sluice_answer { self.ask(Array(key.utf8), condition) }

    func get(
        _ key: [UInt8], _ fields: [String], condition: String? = nil, capacity: Int = 8192
    ) -> (answer: sluice_answer, values: [[UInt8]?]) {
        let buffers = fields.map { _ in UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 1) }
        defer { for buffer in buffers { buffer.deallocate() } }
        var values = zip(fields, buffers).map {
            sluice_value(
                field: sluice_lookup_field(self.handle, $0), buffer: $1, capacity: capacity, length: 99, present: 9)
        }
        let number = condition.map { sluice_lookup_condition(self.handle, $0) } ?? SLUICE_ANY
        let answer = sluice_lookup_get(self.handle, key, key.count, number, &values, values.count)
        return (
            answer,
            values.map { value in
                value.present == 0
                    ? nil : Array(UnsafeRawBufferPointer(start: value.buffer, count: min(capacity, value.length)))
            }
        )
    }

    func get(_ key: String, _ field: String, condition: String? = nil) -> String? {
        self.get(Array(key.utf8), [field], condition: condition).values[0].map { String(decoding: $0, as: UTF8.self) }
    }

    var state: sluice_state {
        var state = sluice_state()
        sluice_lookup_state(self.handle, &state)
        return state
    }
}

extension [NamedSetting<ConditionSettings>] {
    /// Conditions as in a file: names, then fields with their values.
    static func named(_ conditions: KeyValuePairs<String, KeyValuePairs<String, [String]>>) throws -> Self {
        let position = SettingPosition(line: 1, column: 1)
        let entries = conditions.map { name, fields in
            let tests = fields.map { field, values in
                let nodes = values.map { SettingNode(.scalar($0, isPlain: true), at: position) }
                return SettingNode.Pair(
                    key: field, position: position, value: SettingNode(.sequence(nodes), at: position))
            }
            return SettingNode.Pair(key: name, position: position, value: SettingNode(.mapping(tests), at: position))
        }
        var issues = SettingIssues()
        let type = SettingType<[NamedSetting<ConditionSettings>]>.map(of: .condition)
        return try #require(type.decode(SettingNode(.mapping(entries), at: position), &issues))
    }
}

extension Harness {
    /// A shared store with the conditions `active` and `known`, and its file.
    static func shared(_ file: SharedDirectory, fields: [String] = ["status", "user"], shards: Int = 4) throws
        -> Harness
    {
        let harness = Harness(
            shards: shards,
            conditions: try .named([
                "active": ["status": ["active"]], "known": ["status": ["active", "revoked"], "user": ["u"]],
            ]),
            share: file.share(fields))
        try harness.store.open()
        return harness
    }
}
