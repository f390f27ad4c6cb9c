import ComponentKit
import Logging
import PipelineEngine
import StageKit
import StageTestKit
import Testing

@Suite struct ConfigurationTests {
    /// Text with the lines that it must be refused with.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let text: String
        let lines: [String]

        init(_ text: String, _ lines: String...) {
            self.text = text
            self.lines = lines
        }

        var testDescription: String { self.lines.joined(separator: " | ") }
    }

    private static let head = "pipeline: test\nsource: { memory: {} }\n"

    static let mistakes: [Mistake] = [
        Mistake("", "p.yaml:1:1: expected a pipeline (names with values, such as stages:), found an empty file"),
        Mistake("- a", "p.yaml:1:1: expected a pipeline (names with values, such as stages:), found a list"),
        Mistake(
            "extra: {}", "p.yaml:1:1: missing section \"pipeline\"", "p.yaml:1:1: missing section \"source\"",
            "p.yaml:1:1: missing section \"stages\""),
        Mistake(
            head + "stage: [ take ]\nstages: [ take ]", "p.yaml:3:1: unknown section \"stage\" (did you mean stages?)"),
        Mistake(head + "stages: [ tak ]", "p.yaml:3:11: unknown stage type \"tak\" (did you mean take?)"),
        Mistake(
            head + "stages: []", "p.yaml:3:9: stages: expected a list of stages (- decode: ...), found an empty list"),
        Mistake(
            head + "stages: { take: {} }",
            "p.yaml:3:9: stages: expected a list of stages (- decode: ...), found a mapping"),
        Mistake(head + "stages:\n  - []", "p.yaml:4:5: expected a stage (decode: ...), found a list"),
        Mistake(head + "stages:\n  - when: { a: b }", "p.yaml:4:5: expected a stage type in addition to when"),
        Mistake(
            head + "stages:\n  - take: {}\n    probe: {}",
            "p.yaml:5:5: a stage has one type, found \"take\" and \"probe\" (start a new - item)"
        ),
        Mistake(
            head + "stages:\n  - take: {}\n    on_failur: x",
            "p.yaml:5:5: a stage has one type, found \"take\" and \"on_failur\""
                + " (did you mean on_failure?)"),
        Mistake(
            head + "stages:\n  - take: { field: [a] }",
            "p.yaml:4:13: take: unknown setting \"field\" (did you mean fields?)"),
        Mistake(head + "stages:\n  - take: { fields: a }", "p.yaml:4:21: take: fields: expected a list, found text"),
        Mistake(
            head + "stages:\n  - take: {}\n    on_failure: b",
            "p.yaml:5:17: take: on_failure: no branch \"b\" (one of drop, halt, dead_letter, retry)"),
        Mistake(
            head + "stages: [ take ]\nbranches: { b: [ probe ] }",
            "p.yaml:4:13: branches: no stage leads to \"b\" (by on_failure or route)"),
        Mistake(
            head + "stages:\n  - take: {}\n    on_failure: b\nbranches:\n  b:\n    - probe: {}\n      on_failure: b",
            "p.yaml:7:3: branches: \"b\" forms a cycle"),
        Mistake(
            head + "stages:\n  - take: { fields: [alpha] }\n  - probe: { field: alhpa }",
            "p.yaml:5:21: probe: no earlier stage provides the field \"alhpa\" (did you mean alpha?)"),
        Mistake(
            head + "stages:\n  - probe: {}\n    when: { a: b }",
            "p.yaml:5:13: probe: when: no earlier stage provides the field \"a\""),
        Mistake(
            head + "stages:\n  - probe: {}\n    name: x\n  - probe: {}\n    name: x",
            "p.yaml:7:11: the stage name \"x\" is already used"),
        Mistake(
            "pipeline: a b\nsource: { memory: {} }\nstages: [ take ]",
            "p.yaml:1:11: pipeline: a name may only contain letters, digits, _ and -"),
        Mistake(
            "pipeline: a\nsource: memory\nstages: [ take ]",
            "p.yaml:2:1: source: expected one type with its settings, found text"),
        Mistake(
            "pipeline: a\nsource: { kafka: {} }\nstages: [ take ]",
            "p.yaml:2:11: unknown source type \"kafka\" (one of memory)"),
        Mistake(
            head + "stores: { s: { memory: {} } }\nstages: [ take ]",
            "p.yaml:3:16: unknown store type \"memory\" (one of recording)"),
        Mistake(
            head + "stages: [ take ]\nextra: { a: \"${NONE}\" }",
            "p.yaml:4:13: the environment variable NONE is not set (write ${NONE:-default} to give a default)"),
        Mistake(
            head + "stages: [ take ]\nextra:\n  a: ${NONE:?needed for a}\n  b: ${9}\n  c: ${X\n  d: ${X-y}",
            "p.yaml:5:6: the environment variable NONE is not set: needed for a",
            "p.yaml:6:6: \"${9}\" does not name an environment variable",
            "p.yaml:7:6: \"${\" without \"}\" (write $${ for a literal ${)",
            "p.yaml:8:6: \"${X-y}\": write ${NAME}, ${NAME:-default} or ${NAME:?message}"),
    ]

    @Test("A source or store that its type does not create is reported, even without a message of the type")
    func unexplained() {
        var catalogue = Probes.catalogue()
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(SourceType(name: "none", summary: "Is not made.", settings: nothing) { _, _ in nil })
        catalogue.add(StoreType(name: "nowhere", summary: "Is not made.", settings: nothing) { _, _ in nil })
        for (source, store, place) in [("none", "recording", "2:11: none"), ("memory", "nowhere", "3:16: nowhere")] {
            let text = "pipeline: p\nsource: { \(source): {} }\nstores: { a: { \(store): {} } }\nstages: [probe]\n"
            let error = #expect(throws: ConfigurationError.self) {
                let services = PipelineServices(
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                _ = try Pipeline(text: Array(text.utf8), file: "p.yaml", catalogue: catalogue, services: services)
            }
            #expect(error?.lines == ["p.yaml:\(place): cannot be created; the type gives no reason"])
        }
    }

    @Test("An error is reported with its position and the expected form", arguments: mistakes)
    func mistake(_ mistake: Mistake) throws {
        let error = #expect(throws: ConfigurationError.self) { try Probes.pipeline(mistake.text) }
        #expect(error?.lines == mistake.lines)
    }

    @Test("All errors are reported together, in file order")
    func allAtOnce() {
        let text = "pipeline: test\nsource: { memry: {} }\nstages:\n  - take: { x: 1 }\n  - prob: {}\nother: 1\n"
        let error = #expect(throws: ConfigurationError.self) { try Probes.pipeline(text) }
        #expect(error?.issues.map(\.position.line) == [2, 4, 5, 6])
    }

    @Test(
        "Variables are substituted in values, and their content never becomes structure",
        arguments: [
            ("${A}", "x"), ("${A:-y}", "x"), ("${B:-y}", "y"), ("${EMPTY:-y}", "y"), ("a${A}b${A}", "axbx"),
            ("$${A}", "${A}"), ("z${B:-}", "z"), ("${TREE}", "{ a: b }"), ("$A", "$A"), ("${A:?m}", "x"),
            ("${B:-${A}}", "x"), ("${B:-${C:-z}}", "z"), ("${A:-${C:?m}}", "x"), ("${B:-a${A}b${C:-c}}d", "axbcd"),
            ("${B:-$${A}}", "${A}"), ("${B:-{y}}", "{y}"), ("${TREE:-${A}}", "{ a: b }"),
        ])
    func interpolation(text: String, value: String) async throws {
        let records = EventResults()
        let pipeline = try Probes.pipeline(
            Self.head + "stages:\n  - probe: { effect: '\(text)' }\n", entries: [MemorySource.Entry(1, [:])],
            environment: ["A": "x", "EMPTY": "", "TREE": "{ a: b }"], records: records)
        try await pipeline.run()
        #expect(records.all.map(\.record.effects) == [[value]])
    }

    @Test("Overrides replace and add values, and an impossible one is reported")
    func overrides() throws {
        let text = Self.head + "stages:\n  - take: { fields: [a] }\n"
        #expect(try Probes.pipeline(text, overrides: ["pipeline=other"]).name == "other")
        #expect(throws: Never.self) { try Probes.pipeline(text, overrides: ["stages.0.take.fields=[b]", "extra={}"]) }
        let wrong = #expect(throws: ConfigurationError.self) {
            try Probes.pipeline(text, overrides: ["stages.3.take=1", "pipeline.x=1"])
        }
        #expect(
            wrong?.lines == [
                "p.yaml:1:1: --set stages.3.take: stages has no item 3: the items are 0 to 0",
                "p.yaml:1:1: --set pipeline.x: pipeline is text and has no \"x\": set pipeline itself",
            ])
    }

    @Test("A stage in a list is addressed by its index, its name or its type")
    func overridesOfStages() throws {
        let text =
            Self.head + """
                stages:
                  - take: { fields: [a] }
                  - probe: { effect: one }
                    name: first
                  - probe: { effect: two }
                    when: { a: x }
                  - probe
                """
        for path in [
            "stages.take.fields=[a, b]", "stages.take.take.fields=[a]", "stages.take.on_failure=drop",
            "stages.first.effect=x", "stages.first.probe.effect=x", "stages.first.when={ a: y }",
            "stages.2.probe.effect=x", "stages.2.effect=x", "stages.3.effect=x", "stages.3.name=last",
            "stages.3={ probe: { effect: x } }", "stages.first={ probe: }",
        ] {
            #expect(throws: Never.self, "\(path)") { try Probes.pipeline(text, overrides: [path]) }
        }
        let graph = try Probes.pipeline(
            text, overrides: ["stages.first.name=other", "stages.other.when={ a: z }"]
        ).graph
        #expect(graph.stages.map(\.name) == ["take", "other", "probe", "probe-2"])
        #expect(graph.stages.map(\.condition) == [nil, "a: z", "a: x", nil])
        let wrong = #expect(throws: ConfigurationError.self) {
            try Probes.pipeline(
                text, overrides: ["stages.frist.effect=x", "stages.probe.effect=x", "stages.take.fields.x=1"])
        }
        #expect(
            wrong?.lines == [
                "p.yaml:1:1: --set stages.frist.effect: stages has no \"frist\" (did you mean first?)",
                "p.yaml:1:1: --set stages.probe.effect: stages has 3 stages \"probe\": use one of stages.1, stages.2, "
                    + "stages.3",
                "p.yaml:1:1: --set stages.take.fields.x: stages.take.take.fields is a list: use the number of an "
                    + "item (0 to 0)",
            ])
        #expect(Override("novalue") == nil)
        #expect(Override("a..b=1") == nil)
    }
}
