import CSluiceLookup
import StageKit
import Synchronization
import Testing

@testable import SnapshotStores

@Suite struct ModelTests {
    /// What a store must hold, kept in the plainest way: live records and remembered evictions by key.
    struct Model {
        struct Live: Equatable {
            var id: EntryID
            var fields: [Snapshot.Field]
        }
        var live: [[UInt8]: Live] = [:]
        var evicted: [[UInt8]: EntryID] = [:]
        var order: [(key: [UInt8], id: EntryID)] = []
        var floor: EntryID?
        let limit: Int

        mutating func upsert(_ key: [UInt8], _ id: EntryID, _ fields: [Snapshot.Field]) -> StoreChange {
            if let held = self.live[key] {
                guard id > held.id else { return id == held.id ? .repeated : .older }
            } else if let barrier = self.evicted[key] ?? self.floor, id <= barrier {
                return .older
            }
            self.evicted[key] = nil
            self.live[key] = Live(id: id, fields: fields)
            return .applied
        }

        mutating func evict(_ key: [UInt8], _ id: EntryID) -> StoreChange {
            if let held = self.live[key] {
                if id < held.id { return .older }
            } else if let trace = self.evicted[key] {
                guard id > trace else { return id == trace ? .repeated : .older }
            } else if let floor = self.floor, id <= floor {
                return .older
            }
            self.live[key] = nil
            self.evicted[key] = id
            self.order.append((key, id))
            if self.order.count > self.limit {
                let oldest = self.order.removeFirst()
                if self.evicted[oldest.key] == oldest.id {
                    self.evicted[oldest.key] = nil
                    self.floor = max(self.floor ?? oldest.id, oldest.id)
                }
            }
            return .applied
        }
    }

    static func values(_ key: [UInt8], _ generator: inout SplitMix64) -> [Harness.Value] {
        let lengths = [0, 1, 7, 8, 9, 30, 44, 200, 3000]
        var values: [Harness.Value] = [.bytes(key)]
        for _ in 0..<2 {
            let length = lengths.randomElement(using: &generator) ?? 0
            let byte = UInt8.random(in: 0...255, using: &generator)
            values.append(
                generator.next() % 8 == 0 ? .absent : .bytes([UInt8](repeating: byte, count: length)))
        }
        let number = Int64(bitPattern: generator.next()) >> Int64.random(in: 0...63, using: &generator)
        let forms: [Harness.Value] = [
            .absent, .integer(number, text: "\(number)"), .integer(number, text: " \(number) "),
        ]
        values.append(forms.randomElement(using: &generator) ?? .absent)
        return values
    }

    static func fields(_ values: [Harness.Value]) -> [Snapshot.Field] {
        zip(Harness.names, values).compactMap { name, value in
            switch value {
            case .absent: nil
            case .bytes(let bytes): Snapshot.Field(name: name, bytes: bytes)
            case .integer(let integer, let text):
                Snapshot.Field(name: name, bytes: Array(text.utf8), integer: integer)
            }
        }
    }

    @Test(
        "A store behaves like a plain dictionary with the same rules, even if hashes collide",
        arguments: [
            (UInt64.max, 65_536, 400), (.max, 20, 400), (0xF000_0000_0000_0003, 50, 300), (0, 30, 60), (.max, 0, 50),
            // All at home in the first line, told apart by what the line knows of them; all the same to the line, told
            // apart by their slots; more in one line than a line counts.
            (0x0000_00FF_0000_0000, 50, 300), (0xFFFF_FF00_0000_0000, 50, 300), (0x0000_0001_0000_0000, 50, 330),
        ], [false, true])
    func followsModel(_ store: (mask: UInt64, evictions: Int, keys: Int), isShared: Bool) throws {
        let (mask, keys) = (store.mask, store.keys)
        var generator = SplitMix64(state: mask &+ UInt64(keys))
        let limit = max(store.evictions, 1)
        // Two phases in which a store fills and two in which it empties, each with two changes for every key.
        let steps = Harness.rounds(max(8 * keys, 1200))
        let file = try isShared ? SharedDirectory() : nil
        let harness = Harness(
            mask: mask, evictions: limit, shards: mask == .max ? 4 : 1, share: file?.share(["status", "user"]))
        try harness.store.open()
        let reader = try file.map { try SharedReader($0.path) }
        // A shared store numbers its shared fields first.
        func sorted(_ fields: [Snapshot.Field]) -> [Snapshot.Field] { fields.sorted { $0.name < $1.name } }
        var model = Model(limit: limit)
        var clock: UInt64 = 10
        // One expectation for all steps: evaluating one for each would take most of the time.
        var wrong: [String] = []
        func compare(_ what: String, _ step: Int, _ isRight: Bool) {
            if !isRight { wrong.append("\(what) at \(step)") }
        }
        for step in 0..<steps {
            let number = Int.random(in: 0..<keys, using: &generator)
            let key = [UInt8](repeating: UInt8(number & 0xFF), count: number % 40) + Array("\(number)".utf8)
            clock += 1
            // One in four comes late or again; an id names one key, as it does in a stream.
            let time = generator.next() % 4 == 0 ? clock - min(clock, generator.next() % 300) : clock
            let id = EntryID(milliseconds: time, sequence: UInt64(number))
            // Phases in which most keys come and most keys go make the tables fill up and empty.
            if generator.next() % 10 < ((step * 4 / steps).isMultiple(of: 2) ? 8 : 3) {
                let values = ModelTests.values(key, &generator)
                let change = try harness.upsert(id, values)
                compare("upsert", step, change == model.upsert(key, id, ModelTests.fields(values)))
            } else {
                let change = try Harness.withEvent(harness.batch, id, [.bytes(key)]) { try harness.writer.evict($0) }
                compare("evict", step, change == model.evict(key, id))
            }
            let probe = Int.random(in: 0..<keys, using: &generator)
            let probeKey = [UInt8](repeating: UInt8(probe & 0xFF), count: probe % 40) + Array("\(probe)".utf8)
            let snapshot = harness.store.snapshot(for: probeKey.span)
            let held = model.live[probeKey]
            compare("id", step, snapshot?.entryID == held?.id)
            compare("fields", step, snapshot.map { sorted($0.fields) } == held.map { sorted($0.fields) })
            if let reader {
                let (answer, values) = reader.get(probeKey, ["status", "user"])
                compare("shared answer", step, answer == (snapshot == nil ? SLUICE_ABSENT : SLUICE_ALLOWED))
                let expected = ["status", "user"].map { name in snapshot?.fields.first { $0.name == name }?.bytes }
                compare("shared values", step, values == expected)
            }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(5))")
        var seen: [[UInt8]: Model.Live] = [:]
        harness.store.forEachSnapshot { seen[$0.key] = Model.Live(id: $0.entryID, fields: sorted($0.fields)) }
        #expect(seen == model.live.mapValues { Model.Live(id: $0.id, fields: sorted($0.fields)) })
        #expect(harness.store.count == model.live.count)
        #expect(harness.store.changes.withLock { $0.evictions.floor(of: 0) } == model.floor)
    }

    @Test("All of many keys are found again while the store grows and while it is emptied")
    func growsAndShrinks() throws {
        let harness = Harness(shards: 2)
        let count = Harness.rounds(5_000)
        for key in 0..<count {
            let change = try harness.upsert("key-\(key)", UInt64(key) + 1)
            #expect(change == .applied)
        }
        #expect(harness.store.count == count)
        #expect((0..<count).allSatisfy { harness.store.snapshot(for: "key-\($0)") != nil })
        for key in stride(from: 0, to: count, by: 2) { _ = try harness.evict("key-\(key)", UInt64(count + key)) }
        #expect(harness.store.count == count / 2)
        #expect((0..<count).allSatisfy { (harness.store.snapshot(for: "key-\($0)") == nil) == $0.isMultiple(of: 2) })
    }
}
