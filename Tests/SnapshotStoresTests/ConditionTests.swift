import ComponentKit
import StageKit
import Synchronization
import Testing

@testable import SnapshotStores

@Suite struct ConditionTests {
    /// Long enough to be compared in place, and too short for it.
    private static let prefixes = ["a-key-of-some-length-", "k"]

    /// What threads found.
    private final class Tally: Sendable {
        let written = Atomic<Int>(0)
        let wrong = Atomic<Int>(0)
    }

    @Test("A condition added before or after the snapshots gives the same answers", arguments: prefixes)
    func madeLater(prefix: String) throws {
        let harness = Harness()
        let early = harness.store.condition("status", equals: "active")
        for key in 0..<500 {
            _ = try harness.upsert("\(prefix)\(key)", UInt64(key + 1), status: key % 3 == 0 ? "revoked" : "active")
        }
        _ = try harness.evict("\(prefix)7", 1000)
        let late = harness.store.condition("status", equals: "revoked")
        for key in 0..<500 where key != 7 {
            #expect(harness.store.check("\(prefix)\(key)", early) == (key % 3 != 0))
            #expect(harness.store.check("\(prefix)\(key)", late) == (key % 3 == 0))
        }
        #expect(harness.store.check("\(prefix)7", late) == nil)
        #expect(harness.store.check("\(prefix)500", late) == nil)
    }

    @Test("A replaced snapshot meets the conditions of the new one, whether or not it fits the old memory")
    func replaced() throws {
        let harness = Harness()
        let isActive = harness.store.condition("status", equals: "active")
        let statuses = ["active", "revoked", "active", String(repeating: "x", count: 900), "active", "activ", ""]
        for (step, status) in statuses.enumerated() {
            _ = try harness.upsert("a-session-key", UInt64(step + 1), status: status)
            #expect(harness.store.check("a-session-key", isActive) == (status == "active"))
        }
        _ = try harness.upsert(Harness.entry(20), [.text("a-session-key"), .text("u"), .absent])
        #expect(harness.store.check("a-session-key", isActive) == false)
    }

    @Test("Conditions can test the key, numbers and fields that no snapshot has")
    func otherFields() throws {
        let harness = Harness()
        let store = harness.store
        for number in [5, 6] as [Int64] {
            let key = "session-\(number)"
            let values: [Harness.Value] = [.text(key), .text("u"), .absent, .integer(number, text: "+\(number)")]
            _ = try harness.upsert(Harness.entry(UInt64(number)), values)
        }
        for expected in ["+5", "5", ""] {
            let answer = store.check("session-5", store.condition("revoked_at_ms", equals: expected))
            #expect(answer == (expected == "+5"))
        }
        #expect(store.check("session-5", store.condition("id", equals: "session-5")) == true)
        #expect(store.check("session-6", store.condition("id", equals: "session-5")) == false)
        #expect(store.check("session-6", store.condition("nobody has it", equals: "")) == false)
    }

    @Test("The same condition is added once, and conditions beyond the marks are answered as well")
    func many() throws {
        let harness = Harness()
        let store = harness.store
        let users = (0..<MarkedConditions.limit + 4).map { "user-\($0)" }
        let conditions = users.map { store.condition("user", equals: $0) }
        #expect(Set(conditions.map(\.mark)).count == MarkedConditions.limit + 1)
        #expect(users.map { store.condition("user", equals: $0).mark } == conditions.map(\.mark))
        for (index, user) in users.enumerated() {
            _ = try harness.upsert(
                Harness.entry(UInt64(index + 1)), [.text("session-of-\(user)"), .text(user), .text("active")])
        }
        for (index, user) in users.enumerated() {
            for (other, condition) in conditions.enumerated() {
                #expect(store.check("session-of-\(user)", condition) == (index == other))
            }
        }
    }

    @Test("Writers with other columns mark records by the field's name")
    func severalWriters() throws {
        let harness = Harness()
        let isActive = harness.store.condition("status", equals: "active")
        let other = harness.store.makeWriter(key: FieldID(index: 1), fields: [("status", FieldID(index: 0))])
        let bare = harness.store.makeWriter(key: FieldID(index: 1), fields: [("user", FieldID(index: 0))])
        for (id, writer) in [other, bare].enumerated() {
            let values: [Harness.Value] = [.text("active"), .text("session-\(id)")]
            _ = try Harness.withEvent(harness.batch, Harness.entry(UInt64(id + 1)), values) { try writer.upsert($0) }
        }
        #expect(harness.store.check("session-0", isActive) == true)
        #expect(harness.store.check("session-1", isActive) == false)
    }

    @Test("A condition added during writes holds for records written before and after")
    func besideWriter() async {
        let store = Harness(shards: 2).store
        // A condition is added after each tenth of them, the first when all 1000 sessions are there.
        let rounds = Harness.rounds(20_000)
        let tally = Tally()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { @concurrent in
                let writer = Harness.writer(of: store)
                let batch = EventBatch()
                for round in UInt64(1)...UInt64(rounds) {
                    let user = "user-\(round % 8)"
                    let values: [Harness.Value] = [.text("session-\(round % 1000)"), .text(user), .text("active")]
                    Harness.withEvent(batch, Harness.entry(round), values) { _ = try? writer.upsert($0) }
                    tally.written.store(Int(round), ordering: .releasing)
                }
            }
            group.addTask { @concurrent in
                // 1000 is a multiple of 8: a session has the same user in each round.
                for number in 0..<8 {
                    while tally.written.load(ordering: .acquiring) < rounds * (number + 1) / 10 { await Task.yield() }
                    let condition = store.condition("user", equals: "user-\(number)")
                    for session in 0..<1000 {
                        if store.check("session-\(session)", condition) == (session % 8 == number) { continue }
                        tally.wrong.wrappingAdd(1, ordering: .relaxed)
                    }
                }
            }
        }
        #expect(tally.wrong.load(ordering: .relaxed) == 0)
        #expect(tally.written.load(ordering: .relaxed) == rounds)
    }

    /// Reads a condition as a file has it.
    private func condition(_ node: SettingNode) throws -> ConditionSettings {
        var issues = SettingIssues()
        let condition = SettingType.condition.decode(node, &issues)
        return try #require(condition, "\(issues.all)")
    }

    private static func node(_ content: SettingNode.Content) -> SettingNode {
        SettingNode(content, at: SettingPosition(line: 1, column: 1))
    }

    private static func text(_ text: String) -> SettingNode { node(.scalar(text, isPlain: true)) }

    private static func map(_ entries: (String, SettingNode)...) -> SettingNode {
        node(.mapping(entries.map { .init(key: $0.0, position: SettingPosition(line: 1, column: 1), value: $0.1) }))
    }

    private static func list(_ items: SettingNode...) -> SettingNode { node(.sequence(items)) }

    @Test(
        "A condition of the file gives the same answers as an event's, in a store and on a snapshot",
        arguments: [
            (map(("status", text("active"))), [true, false, false]),
            (map(("status", list(text("active"), text("new")))), [true, true, false]),
            (map(("status", text("active")), ("user", text("u"))), [true, false, false]),
            (map(("status", map(("exists", text("false"))))), [false, false, true]),
            (map(("revoked_at_ms", map(("at_least", text("5")), ("below", text("7"))))), [true, false, false]),
            (map(("any", list(map(("status", text("new"))), map(("revoked_at_ms", text("5")))))), [true, true, false]),
            (map(("not", map(("status", text("active"))))), [false, true, true]),
            (map(("all", list(map(("status", text("new"))), map(("user", text("v")))))), [false, true, false]),
            (map(("nobody has it", text("x"))), [false, false, false]),
            (text("status == 'active'"), [true, false, false]),
            (text("'new' == status && user == 'v'"), [false, true, false]),
            (text("status in ['active', 'new']"), [true, true, false]),
            // A missing field is an error, and a snapshot with an error does not meet the condition.
            (text("status != 'active'"), [false, true, false]), (text("!has(status)"), [false, false, true]),
            (map(("not", text("status == 'active'"))), [false, true, false]),
            (text("revoked_at_ms < 7"), [true, false, false]),
            (text("has(status) && revoked_at_ms >= 5"), [true, true, false]),
            (text("status.startsWith('act') || user == 'v'"), [true, true, false]),
            (map(("any", list(text("status == 'new'"), map(("user", text("u")))))), [true, true, true]),
            (map(("status", text("active")), ("all", list(text("revoked_at_ms > 4")))), [true, false, false]),
            (text("entry.id == '0-1' && entry.time < now"), [true, false, false]),
            (text("nobody == 'x'"), [false, false, false]), (text("size(status) > 2"), [true, true, false]),
        ] as [(SettingNode, [Bool])])
    func ofTheFile(node: SettingNode, expected: [Bool]) throws {
        let harness = Harness()
        let settings = try self.condition(node)
        let early = harness.store.condition(settings)
        let rows: [[Harness.Value]] = [
            [.text("session-one"), .text("u"), .text("active"), .integer(5, text: "5")],
            [.text("session-two"), .text("v"), .text("new"), .integer(7, text: "7")],
            [.text("session-three"), .text("u"), .absent, .absent],
        ]
        for (index, row) in rows.enumerated() { _ = try harness.upsert(Harness.entry(UInt64(index + 1)), row) }
        let late = harness.store.condition(settings)
        for (key, meets) in zip(["session-one", "session-two", "session-three"], expected) {
            #expect(harness.store.check(key, early) == meets && harness.store.check(key, late) == meets, "\(key)")
            #expect(try settings.holds(for: #require(harness.store.snapshot(for: key))) == meets, "\(key)")
            harness.store.freshness?.setLimit(nil)
            var seen = 0
            let answer = harness.store.ask(key.utf8.span, early) { _ in seen += 1 }
            #expect(answer == (meets ? .yes : .no) && seen == (meets ? 1 : 0), "\(key)")
        }
        let absent = harness.store.ask("session-four".utf8.span, early) { _ in Issue.record("called") }
        #expect(absent == .absent)
        harness.store.freshness?.setFilling(true)
        let stale = harness.store.ask("session-one".utf8.span, early) { _ in Issue.record("called") }
        #expect(stale == .stale)
    }

    @Test("An expression that is one value of one field has the mark of the mapping form; others have none")
    func marks() throws {
        let store = Harness().store
        let plain = store.condition("status", equals: "active")
        for text in ["status == 'active'", "'active' == status", "status in ['active']"] {
            #expect(try store.condition(self.condition(Self.text(text))).mark == plain.mark, "\(text)")
        }
        for text in ["status != 'active'", "status in ['active', 'new']", "status == 'active' && now > timestamp(0)"] {
            #expect(try store.condition(self.condition(Self.text(text))).mark == 0, "\(text)")
        }
    }

    @Test("A field that is not valid UTF-8 meets no expression that reads it as text")
    func notText() throws {
        let harness = Harness()
        _ = try harness.upsert(Harness.entry(1), [.text("session-one"), .bytes([0xFF]), .text("active")])
        for (text, meets) in [
            ("size(user) > 0", false), ("user == 'x'", false), ("user != 'x'", false), ("has(user)", true),
            ("status == 'active'", true),
        ] {
            let condition = try harness.store.condition(self.condition(Self.text(text)))
            #expect(harness.store.check("session-one", condition) == meets, "\(text)")
        }
    }

    @Test("The evicted keys that the store remembers are listed, and those that came back are not")
    func evictedKeys() throws {
        let harness = Harness(evictions: 2)
        for (entry, key) in [(1, "a"), (2, "b"), (3, "c")] as [(UInt64, String)] {
            _ = try harness.upsert(key, entry)
            _ = try harness.evict(key, entry + 10)
        }
        _ = try harness.upsert("c", 20)
        _ = try harness.upsert("d", 21)
        var found: [String: EntryID] = [:]
        harness.store.forEachEvictedKey { found[String(decoding: $0, as: UTF8.self)] = $1 }
        // Two are remembered, of which one came back.
        #expect(found == ["b": Harness.entry(12)])
    }

    @Test("Conditions of the settings are found by their names, and the fields that writers keep are known")
    func named() throws {
        let position = SettingPosition(line: 1, column: 1)
        let settings = try self.condition(Self.map(("status", Self.text("active"))))
        let store = MemoryStore(
            name: "s", keyField: "id", conditions: [NamedSetting(name: "active", position: position, value: settings)])
        #expect(store.condition(named: "active")?.mark == 1 && store.condition(named: "other") == nil)
        #expect(store.keptFields == [])
        _ = store.makeWriter(
            key: FieldID(index: 0), fields: [("status", FieldID(index: 1)), ("id", FieldID(index: 0))])
        #expect(store.keptFields == ["id", "status"])
    }
}
