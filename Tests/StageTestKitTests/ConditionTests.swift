import Testing

@testable import StageKit
@testable import StageTestKit

@Suite struct ConditionTests {
    private static let fields = ["id", "status", "amount", "note"]

    private func setup() -> StageSetup {
        let fixture = StageFixture(fields: Self.fields)
        let setup = fixture.makeSetup(stage: "log", names: GraphNames(), exits: StageExits())
        for field in ["id", "status", "note"] { _ = setup.output(field, type: .text) }
        _ = setup.output("amount", type: .integer)
        return setup
    }

    private static let conditions: [SettingNode] = [
        ["status": "open"], ["status": ["open", "paid", ""]], ["status": "open", "note": "x"], ["amount": "5"],
        ["amount": ["at_least": "5", "below": "50"]], ["status": "open", "amount": ["above": "4"]],
        ["note": ["exists": "false"]], ["not": ["status": "open"]], ["any": [["status": "paid"], "amount > 4"]],
        ["all": [["status": "open"], "note.startsWith('x')"]], ["not": "amount > 4"], "status == 'open'",
        "status in ['open', 'paid']", "'x' == note && status == 'open'", "status == 'open' && amount > 4",
        "status != 'open'", "has(note)", "!has(note) || note == 'x'", "amount / (amount - 5) == 1",
        "entry.id == '1-0'", "entry.id == '1-0' && status == 'open'", "now > timestamp(0) && status == 'open'",
    ]

    /// Values of `status`, `amount` and `note`; nil for none.
    private static let rows: [(status: String?, amount: Int64?, note: String?)] = [
        ("open", 5, "x"), ("paid", 50, nil), (nil, 5, "x"), ("open", nil, "xy"), (nil, nil, nil), ("", 0, ""),
        ("opened", 6, "open"),
    ]

    private func outcome(_ body: () throws -> Bool) -> String {
        do {
            return try body() ? "true" : "false"
        } catch {
            return "\(error)"
        }
    }

    @Test("A condition gives the result of its program for every event, whichever path decides")
    func fastPath() throws {
        for node in Self.conditions {
            let setup = self.setup()
            let settings = try #require(SettingType.condition.decode(node, &setup.issues), "\(setup.issues.all)")
            let condition = settings.resolve(setup)
            let program = settings.compile(setup)
            #expect(setup.issues.all.isEmpty, "\(setup.issues.all)")
            for row in Self.rows {
                let batch = EventBatch()
                batch.appendEntry(EntryID(milliseconds: 1, sequence: 0))
                batch.prepareCells(fieldCount: Self.fields.count)
                batch.withEvent(at: 0) { event in
                    if let status = row.status { event.set(FieldID(index: 1), copying: Array(status.utf8)) }
                    if let amount = row.amount {
                        let range = batch.copyToArena(Array("\(amount)".utf8))
                        event.set(FieldID(index: 2), integer: amount, range: range)
                    }
                    if let note = row.note { event.set(FieldID(index: 3), copying: Array(note.utf8)) }
                    let fast = self.outcome { try condition.holds(for: event) }
                    let whole = self.outcome { try program.holds(for: event) }
                    #expect(fast == whole, "\(settings.text) \(row)")
                }
            }
        }
    }

    @Test("Plain values need no program, and comparisons with texts decide alone unless a field is missing")
    func paths() throws {
        func condition(_ node: SettingNode) throws -> Condition {
            let setup = self.setup()
            return try #require(SettingType.condition.decode(node, &setup.issues)).resolve(setup)
        }
        let plain = try condition(["status": "open", "note": "x"])
        #expect(plain.program == nil && plain.texts.count == 2)
        let comparison = try condition("status == 'open' && note == 'x'")
        #expect(comparison.program?.isDecidedByTexts == true && comparison.texts.count == 2)
        let mixed = try condition("status == 'open' && amount > 4")
        #expect(mixed.program?.isDecidedByTexts == false && mixed.texts.count == 1)
        #expect(try condition("status != 'open'").texts.isEmpty)
    }
}
