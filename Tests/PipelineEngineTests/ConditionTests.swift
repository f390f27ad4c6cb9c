import CoreMetrics
import Logging
import StageKit
import StageTestKit
import Testing

@Suite struct ConditionTests {
    /// An event with these values; `amount` is a number, `note` is absent.
    private static let status = "active"
    private static let amount: Int64 = 50

    private func holds(_ node: SettingNode) throws -> Bool {
        let names = GraphNames()
        let setup = StageSetup(
            pipeline: "test", stage: "test", position: SettingPosition(line: 1, column: 1),
            logger: Logger(label: "test"),
            metrics: NOOPMetricsHandler.instance, revocationHandler: nil, names: names,
            scope: FieldScope(fields: ["status", "amount", "note"]), stores: [:])
        let settings = try #require(SettingType.condition.decode(node, &setup.issues))
        let fields = ["status", "amount", "note"].map { setup.input(LocatedName($0, at: node.position)) }
        let condition = settings.resolve(setup)
        #expect(setup.issues.all == [])
        let batch = EventBatch()
        batch.append(id: EntryID(milliseconds: 1, sequence: 0), fields: [])
        batch.prepareCells(fieldCount: names.fields.count)
        return try batch.withEvent(at: 0) { event in
            event.set(fields[0], copying: Array(Self.status.utf8))
            let text = event.range(of: fields[0])
            if let text { event.set(fields[1], integer: Self.amount, range: text) }
            return try condition.holds(for: event)
        }
    }

    static let cases: [(SettingNode, Bool)] = [
        (["status": "active"], true),
        (["status": "gone"], false),
        (["status": ["gone", "active"]], true),
        (["note": "x"], false),
        (["status": "active", "amount": ["above": "49"]], true),
        (["status": "gone", "amount": ["above": "49"]], false),
        (["status": ["exists": "true"]], true),
        (["status": ["exists": "false"]], false),
        (["note": ["exists": "false"]], true),
        (["note": ["exists": "true"]], false),
        (["amount": ["at_least": "50"]], true),
        (["amount": ["at_least": "51"]], false),
        (["amount": ["above": "50"]], false),
        (["amount": ["at_most": "50"]], true),
        (["amount": ["at_most": "49"]], false),
        (["amount": ["below": "50"]], false),
        (["amount": ["below": "51", "above": "49", "exists": "true"]], true),
        (["amount": ["at_least": "-9223372036854775808", "at_most": "9223372036854775807"]], true),
        // What is text is no number, and what is absent neither.
        (["status": ["at_least": "0"]], false),
        (["note": ["at_most": "0"]], false),
        (["not": ["status": "active"]], false),
        (["not": ["note": "x"]], true),
        (["any": [["status": "gone"], ["amount": ["above": "1"]]]], true),
        (["any": [["status": "gone"], ["amount": ["above": "100"]]]], false),
        (["all": [["status": "active"], ["amount": ["above": "1"]]]], true),
        (["all": [["status": "active"], ["amount": ["above": "100"]]]], false),
        (["not": ["any": [["status": "gone"], ["all": [["status": "active"], ["note": "x"]]]]]], true),
        (["status": "active", "not": ["amount": ["at_least": "50"]]], false),
    ]

    @Test("A condition holds if all its parts do", arguments: cases)
    func holds(node: SettingNode, expected: Bool) throws {
        #expect(try self.holds(node) == expected)
    }
}
