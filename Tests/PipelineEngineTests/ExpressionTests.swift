import CoreMetrics
import Logging
import PipelineEngine
import StageKit
import StageTestKit
import Testing

@Suite("Expressions")
struct ExpressionTests {
    /// Evaluates a condition for an event with the text `status`, the number `amount`, the text `token`, which is
    /// secret, and no `note`. Returns the error's message if there is one.
    private func outcome(_ text: String) throws -> String {
        let names = GraphNames()
        var scope = FieldScope()
        scope.provide("status", .text)
        scope.provide("amount", .integer)
        scope.provide("note", .text)
        scope.provide("token", .text)
        names.keepSecret("token")
        let setup = StageSetup(
            pipeline: "test", stage: "test", position: SettingPosition(line: 1, column: 1),
            logger: Logger(label: "test"),
            metrics: NOOPMetricsHandler.instance, revocationHandler: nil, names: names, scope: scope, stores: [:],
            clock: WallClock { 1_700_000_060_000 })
        setup.issues.context = "log: when"
        let node = SettingNode(.scalar(text, isPlain: true), at: SettingPosition(line: 1, column: 1))
        let settings = try #require(SettingType.condition.decode(node, &setup.issues))
        let fields = ["status", "amount", "note", "token"].map { setup.input(LocatedName($0, at: node.position)) }
        let condition = settings.resolve(setup)
        #expect(setup.issues.all == [])
        let batch = EventBatch()
        batch.append(id: EntryID(milliseconds: 1_700_000_000_000, sequence: 7), fields: [])
        batch.prepareCells(fieldCount: names.fields.count)
        return batch.withEvent(at: 0) { event in
            event.set(fields[3], copying: Array("s3cret".utf8))
            event.set(fields[0], copying: Array("50".utf8))
            if let text = event.range(of: fields[0]) { event.set(fields[1], integer: 50, range: text) }
            event.set(fields[0], copying: Array("active".utf8))
            do throws(StageFailure) {
                return String(try condition.holds(for: event))
            } catch {
                return error.message
            }
        }
    }

    static let cases: [(String, String)] = [
        ("status == 'active'", "true"), ("'gone' == status", "false"), ("status in ['gone', 'active']", "true"),
        ("status == 'active' && amount > 49", "true"), ("amount * 2 == 100", "true"), ("amount < 49.5", "false"),
        ("status.startsWith('act') ? amount == 50 : false", "true"), ("has(note)", "false"), ("!has(note)", "true"),
        ("has(status) && has(amount)", "true"), ("entry.id == '1700000000000-7'", "true"),
        ("entry.time == timestamp(1700000000)", "true"), ("now - entry.time == duration('1m')", "true"),
        ("has(failure.reason)", "false"), ("entry.id.startsWith('17')", "true"),
        ("note == 'x'", "log: when: \"note\" is missing"), ("note in ['x', 'y']", "log: when: \"note\" is missing"),
        ("status == 'gone' && note == 'x'", "false"), ("note == 'x' && status == 'gone'", "false"),
        ("note == 'x' && status == 'active'", "log: when: \"note\" is missing"),
        ("note == 'x' || status == 'active'", "true"), ("amount / 0 == 1", "log: when: division by zero"),
        ("failure.stage == 'x'", "log: when: \"failure.stage\" is missing"),
        ("int(status) == 1", "log: when: \"active\" is not an int"),
        ("int(token) == 1", "log: when: an expression with a secret field failed"),
        ("lists.range(amount * 1000000).size() > 0", "log: when: cost limit exceeded"),
    ]

    @Test("A condition holds, does not hold, or fails with a message", arguments: cases)
    func conditions(text: String, expected: String) throws { #expect(try self.outcome(text) == expected) }

    /// Values of `when`, which begin at 6:11, with the message about them.
    static let mistakes: [(value: String, line: String)] = [
        ("a == 'x' && bb == 'y'", "p.yaml:6:23: probe: when: unknown name \"bb\""),
        ("\"a == 'x' && b\"", "p.yaml:6:24: probe: when: unknown name \"b\""),
        ("'a == ''x'' && b'", "p.yaml:6:26: probe: when: unknown name \"b\""),
        ("\"a == \\\"x\\\" && b\"", "p.yaml:6:26: probe: when: unknown name \"b\""),
        ("\"a == '\\x41' && b\"", "p.yaml:6:27: probe: when: unknown name \"b\""),
        ("|\n      a == 'x' &&\n        b", "p.yaml:8:9: probe: when: unknown name \"b\""),
        (">-\n      a == 'x' &&\n      b", "p.yaml:8:7: probe: when: unknown name \"b\""),
        (
            ">\n      a == 'x' &&\n\n      true &&\n      b",
            "p.yaml:10:7: probe: when: unknown name \"b\""
        ),
        ("a == 'x' &&\n      b", "p.yaml:7:7: probe: when: unknown name \"b\""),
        ("\"a == 'x' &&\n\n      b\"", "p.yaml:8:7: probe: when: unknown name \"b\""),
        ("\"a == 'ä' && b\"", "p.yaml:6:24: probe: when: unknown name \"b\""),
        (
            "\"${X:-a == 'x' && b}\"",
            "p.yaml:6:11: probe: when: unknown name \"b\" (at 1:13 of the expression)"
        ),
        ("a ==", "p.yaml:6:15: probe: when: expected an expression, found the end of the expression"),
        ("1 + 1", "p.yaml:6:13: probe: when: expected bool, found int"),
        ("{ any: [ \"b == 'x'\", { a: y } ] }", "p.yaml:6:21: probe: when: unknown name \"b\""),
    ]

    @Test("An error in an expression is reported with its position in the file", arguments: mistakes)
    func positions(value: String, line: String) {
        let head = "pipeline: test\nsource: { memory: {} }\nstages:\n"
        let error = #expect(throws: ConfigurationError.self) {
            try Probes.pipeline(head + "  - take: { fields: [a] }\n  - probe: {}\n    when: \(value)\n")
        }
        #expect(error?.lines == [line])
    }

    @Test("All errors of a file are reported, except for names after an invalid stage")
    func several() {
        let head = "pipeline: test\nsource: { memory: {} }\nstages:\n"
        let error = #expect(throws: ConfigurationError.self) {
            try Probes.pipeline(
                head + "  - take: { fields: [a] }\n  - probe: {}\n    when: b && c\n  - probe: {}\n    when: d\n")
        }
        #expect(error?.lines.count == 3)
        let broken = #expect(throws: ConfigurationError.self) {
            try Probes.pipeline(head + "  - tkae: { fields: [a] }\n  - probe: {}\n    when: a == 'x' && 1\n")
        }
        #expect(broken?.lines.count == 2)
        #expect(broken?.lines.last?.contains("operand of \"&&\" must be bool, found int") == true)
    }
}
