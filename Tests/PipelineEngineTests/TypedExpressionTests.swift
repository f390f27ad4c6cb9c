import CoreMetrics
import Logging
import PipelineEngine
import StageKit
import Testing

@Suite("Expressions with typed fields")
struct TypedExpressionTests {
    /// The fields of the event, with their types and texts; the event has no `gone`.
    private static let fields: [(name: String, type: FieldType, text: String?)] = [
        ("temperature", .double, "31.50"), ("limit", .double, "30"), ("quantity", .integer, "3"),
        ("count", .unsigned, "18446744073709551615"), ("active", .bool, "1"),
        ("started", .timestamp(.milliseconds), "1700000000250"), ("due", .timestamp(.text), "2023-11-15T00:00:00Z"),
        ("took", .duration(.text), "1m30s"), ("raw", .bytes, "hi"), ("gone", .double, nil),
        (
            "items", .json,
            #"[{"sku":"a\u0041","qty":1},{"sku":"b","qty":3,"price":2.5,"tags":["x",null,true]}]"#
        ),
        ("twice", .json, #"{"a":1,"a":2}"#), ("large", .json, "18446744073709551615"),
        ("huge", .json, "[1e400]"),
    ]

    /// Evaluates a condition. Returns the mistakes found before there is an event, or the error's message, if any.
    private func outcome(_ text: String) throws -> String {
        let names = GraphNames()
        var scope = FieldScope()
        for field in Self.fields { scope.provide(field.name, field.type) }
        let setup = StageSetup(
            pipeline: "test", stage: "test", position: SettingPosition(line: 1, column: 1),
            logger: Logger(label: "test"),
            metrics: NOOPMetricsHandler.instance, revocationHandler: nil, names: names, scope: scope, stores: [:],
            clock: WallClock { 1_700_000_060_000 })
        let node = SettingNode(.scalar(text, isPlain: true), at: SettingPosition(line: 1, column: 1))
        let settings = try #require(SettingType.condition.decode(node, &setup.issues))
        let columns = Self.fields.map { setup.input(LocatedName($0.name, at: node.position)) }
        let condition = settings.resolve(setup)
        guard setup.issues.all.isEmpty else { return setup.issues.all.map(\.message).joined(separator: "; ") }
        let batch = EventBatch()
        batch.append(id: EntryID(milliseconds: 1_700_000_000_000, sequence: 7), fields: [])
        batch.prepareCells(fieldCount: names.fields.count)
        return try batch.withEvent(at: 0) { event in
            for (column, field) in zip(columns, Self.fields) {
                guard let text = field.text else { continue }
                event.set(column, copying: Array(text.utf8))
                guard let range = event.range(of: column) else { continue }
                if let typed = try field.type.read(Array(text.utf8).span) {
                    event.set(column, typed: typed, range: range)
                } else {
                    event.set(column, integer: 3, range: range)
                }
            }
            do throws(StageFailure) {
                return String(try condition.holds(for: event))
            } catch {
                return error.message
            }
        }
    }

    @Test(
        "The checker and the evaluation know the types of fields",
        arguments: [
            ("temperature > 30.5", "true"), ("temperature > 30", "true"), ("temperature > limit", "true"),
            ("temperature * 2.0 == 63.0", "true"), ("temperature - limit < 1.0", "false"),
            ("double(quantity) * temperature > 94.0", "true"), ("count > 3u", "true"), ("active", "true"),
            ("!active || quantity == 3", "true"), ("started < now", "true"), ("due > started", "true"),
            ("now - started == duration('59750ms')", "true"), ("started + took > now", "true"),
            ("took == duration('90s')", "true"), ("due.getHours() == 0", "true"), ("raw == b'hi'", "true"),
            ("items.exists(i, i.qty > 2)", "true"), ("items.all(i, i.qty > 2)", "false"), ("items.size() == 2", "true"),
            ("items[0].sku == 'aA'", "true"), ("items[1].price * 2.0 == 5.0", "true"),
            ("items.map(i, i.sku) == ['aA', 'b']", "true"), ("has(items[0].price)", "false"),
            ("items[1].tags[1] == null && items[1].tags[2]", "true"), ("large == 18446744073709551615u", "true"),
            ("has(gone)", "false"), ("has(gone) && gone > 1.0", "false"), ("gone > 1.0", "test: \"gone\" is missing"),
            ("quantity * quantity == 9 && -temperature < limit", "true"), ("quantity % 2 == 0 || has(gone)", "false"),
            ("quantity / (quantity - 3) == 1", "test: division by zero"),
            ("quantity + 9223372036854775807 > 0", "test: integer overflow"),
            ("temperature / (limit - 30.0) > 1e300", "true"), ("has(entry.id) && quantity > 2", "true"),
            ("gone > 1.0 || quantity == 3", "true"), ("gone > 1.0 && quantity == 4", "false"),
            ("huge[0] > 1.0", "test: a JSON field: the number \"1e400\" is out of range for a double"),
            ("twice.a == 1", "test: a JSON field: an object has the name \"a\" twice"),
        ])
    func evaluation(expression: String, outcome: String) throws {
        #expect(try self.outcome(expression) == outcome)
    }

    @Test(
        "Type errors are found before there is an event",
        arguments: [
            "temperature > '30'", "temperature + 1 > 2.0", "active == 'true'", "started < 5", "took > 5",
            "count + 1 > 2u", "raw == 'hi'", "started + 1 > now", "quantity", "!temperature",
        ])
    func mistakes(expression: String) throws {
        let found = try self.outcome(expression)
        #expect(found != "true" && found != "false" && !found.hasPrefix("test: "), "\(found)")
    }
}
